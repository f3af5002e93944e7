namespace Myna.Cli.Consoles;

/// <summary>Carries keys, or a pipe's bytes, to a guest's console on a thread of its own.</summary>
/// <param name="leave">Called when the escape key is pressed; null where bytes have no such meaning.</param>
internal sealed class InputPump(Stream stream, CharPort port, Action? leave) : IDisposable
{
    private readonly CancellationTokenSource _ended = new();

    public void Start() => new Thread(Run) { Name = "console input", IsBackground = true }.Start();

    public void Dispose() => _ended.Cancel();

    private void Run()
    {
        // Read on while the guest is busy, so that the escape key works when it takes no input.
        using var queue = new System.Collections.Concurrent.BlockingCollection<byte[]>(boundedCapacity: leave is null ? 4 : 1024);
        var feeder = new Thread(() => Feed(queue)) { Name = "console feed", IsBackground = true };
        feeder.Start();
        byte[] buffer = new byte[4096];
        try
        {
            int count;
            while ((count = stream.Read(buffer)) > 0)
            {
                if (leave is not null && buffer.AsSpan(0, count).Contains(EscapeKey.Code))
                {
                    leave();
                    break;
                }
                queue.Add(buffer[..count], _ended.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The terminal is gone or the machine has ended. A console has no end of input: the guest goes on.
        }
        queue.CompleteAdding();
        feeder.Join();
    }

    private void Feed(System.Collections.Concurrent.BlockingCollection<byte[]> queue)
    {
        try
        {
            foreach (byte[] bytes in queue.GetConsumingEnumerable(_ended.Token))
                port.Deliver(bytes, _ended.Token);
        }
        catch (OperationCanceledException)
        {
            // The machine has ended.
        }
    }
}
