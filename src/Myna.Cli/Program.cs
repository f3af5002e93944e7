using Myna.Cli;
using Myna.Cli.Commands;
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
    if (args is ["exec", .. string[] words] && ExecCommand.Run(words) is { } status)
        return status;
    return await RootCommands.InvokeAsync(args).ConfigureAwait(false);
}
catch (UserException e)
{
    return Output.Fail(e.Message, e.Status);
}
catch (Exception e) when (e is MachineException or GuestException or StorageException)
{
    return Output.Fail(e.Message);
}
catch (OperationCanceledException)
{
    return Output.Fail("interrupted", 130);
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    return Output.Fail(e.Message);
}
catch (OutOfMemoryException)
{
    return Output.Fail("the host has not enough memory; give --memory a smaller value");
}
catch (Exception e)
{
    // A defect of Myna's own: the trace helps whoever mends it, and nobody else.
    if (Environment.GetEnvironmentVariable("MYNA_DEBUG") is not null)
        throw;
    return Output.Fail($"internal error: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}\nset MYNA_DEBUG=1 to see where it comes from");
}
