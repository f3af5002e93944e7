using System.Buffers;
using System.Net.Sockets;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Time;

namespace Myna.Network;

/// <summary>
/// The user-mode network: a guest's network card on one side, the host's sockets on the other, no privileges needed. One
/// thread does everything; a machine's threads only leave frames in its inbox.
/// </summary>
public sealed class UserNetwork : INetBackend, ICounterSource, IDisposable
{
    const int MaximumInboxFrames = 4096, MaximumInboxBytes = 4 << 20, MaximumFrame = 65550;

    readonly NetworkStack _stack;
    readonly Thread _thread;
    readonly ClockTimer _timer;
    readonly Lock _inboxLock = new();
    List<(byte[] Buffer, int Length)> _inbox = [], _batch = [];
    int _inboxBytes;
    ulong _armed = ulong.MaxValue;
    volatile bool _stop, _linkReady, _timerFired;
    int _sleeping;

    /// <summary>Opens the forwarded ports and begins to work.</summary>
    /// <param name="clock">Times retransmissions and idle flows; while it stands still so do they.</param>
    /// <param name="random">For initial sequence numbers; null takes the system's.</param>
    /// <exception cref="IOException">A forwarded port cannot be opened.</exception>
    public UserNetwork(UserNetworkOptions options, Clock clock, Random? random = null)
    {
        _stack = new NetworkStack(options, () => clock.Now, random ?? Random.Shared);
        var ports = new List<HostForward>();
        foreach (HostForward forward in options.Forwards)
        {
            try
            {
                ports.Add(forward with { HostPort = forward.Udp ? _stack.Udp.Forward(forward) : _stack.Tcp.Forward(forward) });
            }
            catch (SocketException e)
            {
                _stack.Dispose();
                throw new IOException($"hostfwd {forward}: {e.Message}; choose another host address or port", e);
            }
        }
        Forwards = ports;
        _timer = clock.CreateTimer(OnTimer);
        _thread = new Thread(Run) { Name = "network", IsBackground = true };
        _thread.Start();
    }

    public NetworkCounters Counters => _stack.Counters;

    IEnumerable<(string Name, ulong Value)> ICounterSource.Counters => Counters.All().Select(c => (c.Name, (ulong)c.Value));

    /// <summary>The forwarded ports, with the host ports that were taken for 0.</summary>
    public IReadOnlyList<HostForward> Forwards { get; }

    public void Attach(INetFrontend frontend) => _stack.Link.Frontend = frontend;

    public void Send(ReadOnlySpan<byte> frame)
    {
        if (frame.Length > MaximumFrame)
        {
            Interlocked.Increment(ref _stack.Counters.Malformed);
            return;
        }
        byte[] copy = ArrayPool<byte>.Shared.Rent(frame.Length);
        frame.CopyTo(copy);
        bool taken;
        lock (_inboxLock)
        {
            taken = _inbox.Count < MaximumInboxFrames && _inboxBytes + frame.Length <= MaximumInboxBytes;
            if (taken)
            {
                _inbox.Add((copy, frame.Length));
                _inboxBytes += frame.Length;
            }
        }
        if (taken)
        {
            Wake();
        }
        else
        {
            ArrayPool<byte>.Shared.Return(copy);
            Interlocked.Increment(ref _stack.Counters.InboxOverflows);
        }
    }

    public void ReceiveReady()
    {
        _linkReady = true;
        Wake();
    }

    void OnTimer()
    {
        _timerFired = true;
        Wake();
    }

    /// <summary>Wakes the thread if it sleeps or is about to.</summary>
    void Wake()
    {
        if (Interlocked.Exchange(ref _sleeping, 0) != 0)
            _stack.Sockets.Wake();
    }

    void Run()
    {
        while (!_stop)
        {
            ReceiveBatch();
            if (_linkReady)
            {
                _linkReady = false;
                _stack.LinkReady();
            }
            if (_timerFired)
            {
                _timerFired = false;
                _armed = ulong.MaxValue;
            }
            _stack.RunDeadlines();
            _stack.Flush();
            ulong next = _stack.Deadlines.Next;
            if (next < _armed)
            {
                _armed = next;
                _timer.Arm(next);
            }
            // Whoever adds work after this sees the flag; what was added before is seen here.
            Interlocked.Exchange(ref _sleeping, 1);
            _stack.Sockets.Wait(HasWork() ? 0 : -1);
            Volatile.Write(ref _sleeping, 0);
        }
    }

    bool HasWork()
    {
        if (_stop || _linkReady || _timerFired)
            return true;
        lock (_inboxLock)
            return _inbox.Count != 0;
    }

    void ReceiveBatch()
    {
        lock (_inboxLock)
        {
            (_inbox, _batch) = (_batch, _inbox);
            _inboxBytes = 0;
        }
        foreach ((byte[] buffer, int length) in _batch)
        {
            _stack.Receive(buffer.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(buffer);
        }
        _batch.Clear();
    }

    /// <summary>Ends the thread and closes every socket; connections are reset.</summary>
    public void Dispose()
    {
        if (_stop)
            return;
        _stop = true;
        _timer.Dispose();
        _stack.Sockets.Wake();
        _thread.Join();
        _stack.Dispose();
    }
}
