# Completion of attn-doctor in bash. Keep it, once:
#   attn-doctor completion bash > ~/.local/share/bash-completion/completions/attn-doctor
# Without the package bash-completion, source that file from ~/.bashrc.

_attn_doctor() {
    local kind="" line current="${COMP_WORDS[COMP_CWORD]}" whole=1
    COMPREPLY=()
    while IFS= read -r line; do
        if [ -z "$kind" ]; then
            kind=$line
            continue
        fi
        COMPREPLY+=("$line")
        case $line in *[=.]) ;; *) whole=0 ;; esac
    done < <("$1" completion bash --next -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    case $kind in
        folders)
            while IFS= read -r line; do
                COMPREPLY+=("$line")
            done < <(compgen -d -- "$current")
            compopt -o filenames 2>/dev/null
            ;;
        files)
            compopt -o default 2>/dev/null
            ;;
        *)
            # what ends in = or a dot goes on in the same word
            [ "$whole" = 1 ] && compopt -o nospace 2>/dev/null
            ;;
    esac
    return 0
}

complete -F _attn_doctor attn-doctor
