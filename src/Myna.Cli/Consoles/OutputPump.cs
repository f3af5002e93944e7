namespace Myna.Cli.Consoles;

/// <summary>
/// Carries a guest's output to a stream on a thread of its own, so that a virtual CPU that writes byte by byte pays no system
/// call for each. A reader that does not keep up slows the writer down when the buffer is full; one that is gone swallows
/// everything.
/// </summary>
internal sealed class OutputPump : IDisposable
{
    private const int Capacity = 1 << 20;

    /// <summary>How long <see cref="Dispose"/> waits for a slow reader, in milliseconds.</summary>
    private const int LastWait = 2000;
    private readonly Stream _stream;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private byte[] _pending = new byte[4096];
    private byte[] _writing = new byte[4096];
    private int _count;
    private bool _busy, _ended, _broken, _abandoned;

    public OutputPump(Stream stream, string name)
    {
        _stream = stream;
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>The stream takes no more; raised once, on the pump's thread, with <see cref="Failure"/> set.</summary>
    public event Action? Broken;

    /// <summary>Why the stream takes no more; null while it does.</summary>
    public IOException? Failure { get; private set; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            while (!bytes.IsEmpty && !_broken && !_ended)
            {
                int take = Math.Min(bytes.Length, Capacity - _count);
                if (take == 0)
                {
                    if (_abandoned)
                        return;
                    Monitor.Wait(_gate);
                    continue;
                }
                if (_count + take > _pending.Length)
                    Array.Resize(ref _pending, Math.Max(_count + take, _pending.Length * 2));
                bytes[..take].CopyTo(_pending.AsSpan(_count));
                bytes = bytes[take..];
                if (_count == 0 && !_busy)
                    Monitor.PulseAll(_gate);
                _count += take;
            }
        }
    }

    /// <summary>The user waits for the reader no more: what does not fit into the buffer is dropped, <see cref="Drain"/> returns.</summary>
    public void Abandon()
    {
        lock (_gate)
        {
            _abandoned = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Returns when the stream has everything written before, takes no more, or the user does not wait for it.</summary>
    public void Drain()
    {
        lock (_gate)
        {
            while ((_count > 0 || _busy) && !_broken && !_abandoned)
                Monitor.Wait(_gate);
        }
    }

    public void Dispose()
    {
        long until = Environment.TickCount64 + LastWait;
        lock (_gate)
        {
            while ((_count > 0 || _busy) && !_broken && Environment.TickCount64 < until)
                Monitor.Wait(_gate, 50);
            _ended = true;
            Monitor.PulseAll(_gate);
        }
    }

    private void Run()
    {
        while (true)
        {
            int count;
            lock (_gate)
            {
                _busy = false;
                Monitor.PulseAll(_gate);
                while (_count == 0)
                {
                    if (_ended)
                        return;
                    Monitor.Wait(_gate);
                }
                (_pending, _writing) = (_writing, _pending);
                (count, _count, _busy) = (_count, 0, true);
            }
            try
            {
                _stream.Write(_writing, 0, count);
            }
            catch (IOException e)
            {
                lock (_gate)
                {
                    Failure = e;
                    _broken = true;
                    _busy = false;
                    Monitor.PulseAll(_gate);
                }
                Broken?.Invoke();
                return;
            }
        }
    }
}
