using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Myna.Cli.Commands;

/// <summary>The command line as a whole. Exit status: 0 done, 1 failed, 2 wrong usage; a guest's command gives its own.</summary>
internal static class RootCommands
{
    private const int WrongUsage = 2;

    public static async Task<int> InvokeAsync(string[] args)
    {
        // Words after -- are the guest's command: the parser must not look at them.
        int dashes = Array.IndexOf(args, "--");
        string[] own = dashes < 0 ? args : args[..dashes], guest = dashes < 0 ? [] : args[(dashes + 1)..];
        if (dashes >= 0 && guest.Length == 0)
            throw new UserException("there is no command after --", WrongUsage);

        var root = new RootCommand("Runs virtual machines.")
        {
            RunCommand.Create(guest),
            ForeignCommands.CreateExec(),
            ForeignCommands.CreateBinfmt(),
            GuestsCommand.Create(),
            CacheCommand.Create(),
            CompletionCommand.Create(),
        };
        if (root.Options.OfType<HelpOption>().FirstOrDefault() is { Action: HelpAction help } option)
            option.Action = new HelpWithExamples(help);
        ParseResult result = root.Parse(own.Length == 0 ? ["--help"] : own, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Errors.Count > 0)
        {
            string name = result.CommandResult.Command is RootCommand ? "" : result.CommandResult.Command.Name + " ";
            string message = (result.Errors.FirstOrDefault(e => e.Message.StartsWith("Unrecognized", StringComparison.Ordinal)) ?? result.Errors[0]).Message.TrimEnd('.');
            throw new UserException($"{char.ToLowerInvariant(message[0])}{message[1..]}\nsee: myna {name}--help", WrongUsage);
        }
        if (guest.Length > 0 && result.CommandResult.Command.Name != "run")
            throw new UserException("only 'myna run' takes a command after --", WrongUsage);
        return await result.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }).ConfigureAwait(false);
    }

    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            int status = help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is RootCommand or { Name: "run" })
                parseResult.InvocationConfiguration.Output.WriteLine(RunCommand.Examples);
            return status;
        }
    }
}
