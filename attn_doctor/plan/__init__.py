"""What to do: plans as data, made from facts, tables and the catalogue; nothing here reads or writes."""
