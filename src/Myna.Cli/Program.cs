using Myna.Cli.Commands;
using Myna.Exec;
using Myna.Machines;
using Myna.Machines.Guests;
using Myna.Storage;

// The parser is not loaded for the one option that scripts ask often.
if (args is ["--version"])
{
    Output.Line($"myna {Product.Version}");
    return 0;
}
try
{
    // On this, the first thread, and without the parser.
    if (args is ["exec", .. string[] words])
        return ExecProgram.Run(words);
    if (args is ["binfmt", .. string[] more])
        return BinfmtCommand.Run(more);
    return await RootCommands.InvokeAsync(args).ConfigureAwait(false);
}
catch (Exception e) when (e is MachineException or GuestException or StorageException)
{
    return Output.Fail(e.Message);
}
catch (Exception e)
{
    return Output.Fail(e);
}
