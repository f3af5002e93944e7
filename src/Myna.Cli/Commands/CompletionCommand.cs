using System.CommandLine;

namespace Myna.Cli.Commands;

/// <summary><c>myna completion SHELL</c>: a script for the shell; it asks the program itself what fits.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # Load it with: . <(myna completion bash)
        _myna() {
            local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]} line=${COMP_LINE#* } answers
            answers=$("${COMP_WORDS[0]}" "[suggest:$((COMP_POINT - ${#COMP_LINE} + ${#line}))]" "$line" 2>/dev/null)
            COMPREPLY=($(compgen -W "$answers" -- "$word"))
        }
        complete -o default -F _myna myna ./myna
        """;

    private const string Zsh = """
        # Load it with: . <(myna completion zsh)
        _myna() {
            local answers line=${BUFFER#* }
            answers=("${(@f)$("${words[1]}" "[suggest:$((CURSOR - ${#BUFFER} + ${#line}))]" "$line" 2>/dev/null)}")
            compadd -- $answers || _files
        }
        compdef _myna myna
        """;

    private const string Fish = """
        # Load it with: myna completion fish | source
        complete -c myna -a '(set -l line (commandline -cp | string replace -r "^\S+\s+" ""); myna "[suggest:"(string length -- $line)"]" "$line" 2>/dev/null)'
        """;

    public static Command Create()
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Prints a completion script for a shell.") { shell };
        command.SetAction(result => Output.Line(result.GetValue(shell) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish }));
        return command;
    }
}
