#compdef attn-doctor
# Completion of attn-doctor in zsh. Keep it, once, in a folder of $fpath:
#   mkdir -p ~/.zfunc && attn-doctor completion zsh > ~/.zfunc/_attn-doctor
# and in ~/.zshrc, before compinit is called:
#   fpath+=(~/.zfunc); autoload -Uz compinit && compinit

_attn_doctor() {
    local kind value help
    local -a whole whole_shown open open_shown
    while IFS=$'\t' read -r value help; do
        if [[ -z $kind ]]; then
            kind=$value
        elif [[ $value == *[=.] ]]; then
            open+=("$value")
            open_shown+=("$value${help:+  -- $help}")
        else
            whole+=("$value")
            whole_shown+=("$value${help:+  -- $help}")
        fi
    done < <("${words[1]}" completion zsh --next -- "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)
    case $kind in
        files) _files ;;
        folders) _files -/ ;;
        *)
            compadd -l -d whole_shown -a -- whole
            # what ends in = or a dot goes on in the same word
            compadd -l -S '' -d open_shown -a -- open
            ;;
    esac
}

if [[ ${funcstack[1]} == _attn-doctor ]]; then
    _attn_doctor "$@"
else
    compdef _attn_doctor attn-doctor
fi
