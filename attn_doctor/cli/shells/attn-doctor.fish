# Completion of attn-doctor in fish. Keep it, once:
#   attn-doctor completion fish > ~/.config/fish/completions/attn-doctor.fish

function __attn_doctor_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] completion fish --next -- $words[2..-1] "$current" 2>/dev/null)
    switch "$lines[1]"
        case files
            __fish_complete_path "$current"
        case folders
            __fish_complete_directories "$current" ''
        case '*'
            printf '%s\n' $lines[2..-1]
    end
end

complete --command attn-doctor --no-files --arguments '(__attn_doctor_complete)'
