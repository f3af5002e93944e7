using System.CommandLine;
using Myna.Exec;

namespace Myna.Cli.Commands;

/// <summary>Commands about foreign programs, for the list of commands and for completion.</summary>
internal static class ForeignCommands
{
    /// <summary><c>myna exec</c>, whose words <see cref="ExecProgram"/> reads.</summary>
    public static Command CreateExec()
    {
        var command = new Command("exec", "Runs a Linux program built for another processor.");
        foreach (ExecOptions.Option option in ExecOptions.All)
        {
            Option shown = option.Value is null
                ? new Option<bool>(option.Names[0], option.Names[1..]) { Description = option.Description }
                : new Option<string[]>(option.Names[0], option.Names[1..]) { Description = option.Description, HelpName = option.Value };
            command.Options.Add(shown);
        }
        command.Arguments.Add(new Argument<string[]>("program") { Description = "The program and its arguments.", Arity = ArgumentArity.OneOrMore });
        return command;
    }

    /// <summary><c>myna binfmt</c>, whose words <see cref="BinfmtCommand"/> reads.</summary>
    public static Command CreateBinfmt()
    {
        var command = new Command("binfmt", "Has the kernel start foreign programs by Myna: install, status, remove.");
        foreach (string name in (string[])["install", "status", "remove"])
            command.Subcommands.Add(new Command(name));
        return command;
    }
}
