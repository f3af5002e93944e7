namespace Myna.Host.Tests;

public class HostCommandTests
{
    [Fact]
    public async Task Arguments_output_and_status_are_what_they_are()
    {
        HostCommandResult result = await HostCommand.RunAsync("sh", ["-c", "printf %s \"$1\"; echo wrong >&2; pwd; exit 3", "sh", "two  words"], "/");
        Assert.Equal(new HostCommandResult(3, "two  words/\n", "wrong\n"), result);
        using var copy = new MemoryStream();
        await HostCommand.PipeAsync("cat", [], "bytes"u8.ToArray(), s => s.CopyToAsync(copy));
        Assert.Equal("bytes"u8, copy.ToArray());
        await Assert.ThrowsAsync<FileNotFoundException>(() => HostCommand.RunAsync("a-program-that-does-not-exist", []));
    }

    [Fact]
    public async Task A_cancelled_program_is_killed()
    {
        using var cancel = new CancellationTokenSource();
        Task<HostCommandResult> run = HostCommand.RunAsync("sleep", ["1000"], null, cancel.Token);
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
    }
}
