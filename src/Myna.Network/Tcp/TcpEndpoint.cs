using Myna.Network.Wire;

namespace Myna.Network.Tcp;

/// <summary>RFC 9293 §3.3.2, and a state before the first: the host's side is not there yet.</summary>
internal enum TcpState
{
    Waiting, SynSent, SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWait, Closed,
}

/// <summary>A connection as the guest names it.</summary>
internal readonly record struct TcpKey(Ipv4Endpoint Guest, Ipv4Endpoint Remote);

/// <summary>What an endpoint tells the one who moves its bytes.</summary>
internal interface ITcpUser
{
    void OnEstablished();

    /// <summary>Bytes to take from <see cref="TcpEndpoint.Received"/>, or the end of the stream.</summary>
    void OnReceived();

    /// <summary>Room in <see cref="TcpEndpoint.Sending"/>.</summary>
    void OnSendSpace();

    /// <summary>Both directions are finished and acknowledged.</summary>
    void OnFinished();

    /// <summary>The guest reset the connection or stopped answering.</summary>
    void OnReset();
}

/// <summary>
/// One end of a TCP connection, the other is the guest (RFC 9293; window scale: RFC 7323; timer: RFC 6298; reset and SYN
/// checks: RFC 5961). DEVIATION: no congestion window except after a timeout: the way to the guest is a queue in memory
/// that pushes back. LIMIT: no selective acknowledgment, no timestamps.
/// </summary>
internal sealed partial class TcpEndpoint : Timed
{
    const int MaximumGaps = 64;

    readonly NetworkStack _stack;
    readonly ITcpUser _user;

    // Names of RFC 9293 §3.3.1.
    readonly uint _iss;
    uint _sndUna, _sndNxt, _sndMax, _sndWnd, _sndWl1, _sndWl2;
    uint _irs, _rcvNxt, _rcvAdv;
    int _sndScale, _rcvScale;
    int _mss;
    uint _maximumWindow;
    bool _finQueued, _finSent, _peerFinished;
    uint _peerFin;
    bool _peerFinSeen, _synAcked, _received;

    // Ranges that came out of order, as sequence numbers, sorted, apart from each other.
    readonly List<(uint Start, uint End)> _gaps = [];

    public TcpEndpoint(NetworkStack stack, TcpKey key, ITcpUser user, int bufferSize)
    {
        _stack = stack;
        _user = user;
        Key = key;
        Sending = new ByteRing(bufferSize);
        Received = new ByteRing(bufferSize);
        _iss = (uint)stack.Random.NextInt64();
        _sndUna = _sndNxt = _sndMax = _iss;
        _mss = OwnMss;
        _lastHeard = stack.Now;
    }

    public TcpKey Key { get; }

    public TcpState State { get; private set; }

    /// <summary>Bytes to the guest that it has not acknowledged; append, then <see cref="Touch"/>.</summary>
    public ByteRing Sending { get; }

    /// <summary>Bytes from the guest; consume, then <see cref="Touch"/>.</summary>
    public ByteRing Received { get; }

    /// <summary>The guest sends nothing after <see cref="Received"/>.</summary>
    public bool PeerFinished => _peerFinished;

    /// <summary>The guest may still be sent data.</summary>
    public bool CanSend => State is TcpState.Established or TcpState.CloseWait && !_finQueued;

    public bool IsInDirtyList { get; set; }

    /// <summary>Sequence number of the SYN that opened the connection from the guest's side.</summary>
    public uint InitialPeerSequence => _irs;

    int OwnMss => _stack.Options.Mtu - Ipv4Packet.HeaderSize - TcpSegment.HeaderSize;

    static bool Before(uint a, uint b) => (int)(a - b) < 0;

    static uint Later(uint a, uint b) => Before(a, b) ? b : a;

    /// <summary>Takes note of the guest's SYN; <see cref="Accept"/> or <see cref="Abort"/> follows.</summary>
    public void Listen(in TcpSegment syn)
    {
        _irs = syn.Sequence;
        _rcvNxt = _irs + 1;
        TakeOptions(syn);
        _sndWnd = syn.Window;
        _sndWl1 = syn.Sequence;
    }

    /// <summary>Answers the SYN.</summary>
    public void Accept()
    {
        State = TcpState.SynReceived;
        _rcvAdv = _rcvNxt;
        SendSyn();
    }

    /// <summary>Opens the connection toward the guest.</summary>
    public void Connect()
    {
        State = TcpState.SynSent;
        _rcvScale = ScaleFor(Received.Limit);
        SendSyn();
    }

    /// <summary>Sends what is in <see cref="Sending"/>, then FIN.</summary>
    public void CloseSend()
    {
        _finQueued = true;
        Touch();
    }

    /// <summary>Gives the connection up and tells the guest.</summary>
    public void Abort()
    {
        if (State == TcpState.Closed)
            return;
        if (State == TcpState.Waiting)
            Send(0, TcpFlags.Rst | TcpFlags.Ack, default, 0);
        else if (State != TcpState.TimeWait)
            Send(_sndNxt, TcpFlags.Rst | TcpFlags.Ack, default, 0);
        Finish();
    }

    /// <summary>Forgets the connection without a word.</summary>
    public void Finish()
    {
        State = TcpState.Closed;
        Deadline = ulong.MaxValue;
        _stack.Tcp.Remove(this);
    }

    static int ScaleFor(int limit)
    {
        int scale = 0;
        while (limit >> scale > 65535)
            scale++;
        return scale;
    }

    void TakeOptions(in TcpSegment syn)
    {
        // 536 without the option (RFC 9293 §3.7.1); a tiny one would make a flood of segments.
        _mss = Math.Clamp(syn.MaximumSegmentSize == 0 ? 536 : syn.MaximumSegmentSize, 64, OwnMss);
        if (syn.WindowScale >= 0)
        {
            _sndScale = syn.WindowScale;
            _rcvScale = ScaleFor(Received.Limit);
        }
        else
        {
            _sndScale = _rcvScale = 0;
        }
    }

    /// <summary>A segment of this connection (RFC 9293 §3.10.7).</summary>
    public void OnSegment(in TcpSegment segment)
    {
        _lastHeard = _stack.Now;
        _probes = 0;
        switch (State)
        {
            case TcpState.Waiting:
                if (segment.Has(TcpFlags.Rst) && segment.Sequence == _rcvNxt)
                    Reset();
                return;
            case TcpState.SynSent:
                OnSegmentInSynSent(segment);
                return;
            case TcpState.Closed:
                return;
        }
        if (segment.Has(TcpFlags.Syn) && State == TcpState.SynReceived && segment.Sequence == _irs)
        {
            SendSyn();
            return;
        }
        if (!IsAcceptable(segment))
        {
            if (!segment.Has(TcpFlags.Rst))
                AckNow();
            return;
        }
        if (segment.Has(TcpFlags.Rst))
        {
            if (segment.Sequence == _rcvNxt)
                Reset();
            else
                AckNow();
            return;
        }
        if (segment.Has(TcpFlags.Syn))
        {
            AckNow();
            return;
        }
        if (!segment.Has(TcpFlags.Ack))
            return;
        if (State == TcpState.SynReceived)
        {
            if (segment.Acknowledgment != _iss + 1)
            {
                Send(segment.Acknowledgment, TcpFlags.Rst, default, 0);
                return;
            }
            Establish(segment);
        }
        if (!OnAcknowledgment(segment))
            return;
        OnData(segment);
        Touch();
    }

    void OnSegmentInSynSent(in TcpSegment segment)
    {
        bool acknowledges = segment.Has(TcpFlags.Ack);
        if (acknowledges && segment.Acknowledgment != _iss + 1)
        {
            if (!segment.Has(TcpFlags.Rst))
                Send(segment.Acknowledgment, TcpFlags.Rst, default, 0);
            return;
        }
        if (segment.Has(TcpFlags.Rst))
        {
            if (acknowledges)
                Reset();
            return;
        }
        if (!segment.Has(TcpFlags.Syn))
            return;
        _irs = segment.Sequence;
        _rcvNxt = _rcvAdv = _irs + 1;
        TakeOptions(segment);
        if (acknowledges)
        {
            // The window in a SYN is never scaled.
            int scale = _sndScale;
            _sndScale = 0;
            Establish(segment);
            OnAcknowledgment(segment);
            _sndScale = scale;
            AckNow();
            Touch();
        }
        else
        {
            // Both opened at once (RFC 9293 §3.5, figure 8).
            State = TcpState.SynReceived;
            SendSyn();
        }
    }

    void Establish(in TcpSegment segment)
    {
        State = TcpState.Established;
        _sndWnd = (uint)segment.Window << _sndScale;
        _sndWl1 = segment.Sequence;
        _sndWl2 = segment.Acknowledgment;
        _stack.Counters.TcpOpened++;
        _user.OnEstablished();
    }

    void Reset()
    {
        _stack.Counters.TcpReset++;
        Finish();
        _user.OnReset();
    }

    /// <summary>Some of the segment lies in the window (RFC 9293 §3.4).</summary>
    bool IsAcceptable(in TcpSegment segment)
    {
        uint window = _rcvAdv - _rcvNxt;
        uint start = segment.Sequence - _rcvNxt;
        if (start == 0)
            return true;
        if (window == 0)
            return false;
        return start < window || segment.Length != 0 && start + segment.Length - 1 < window;
    }

    /// <returns>False when the segment is to be dropped.</returns>
    bool OnAcknowledgment(in TcpSegment segment)
    {
        uint ack = segment.Acknowledgment;
        if (Before(_sndMax, ack))
        {
            AckNow();
            return false;
        }
        if (Before(ack, _sndUna))
            return true;
        uint window = (uint)segment.Window << _sndScale;
        bool opens = _sndWnd == 0 && window != 0;
        bool duplicate = ack == _sndUna && segment.Length == 0 && window == _sndWnd && _sndMax != _sndUna;
        if (Before(_sndWl1, segment.Sequence) || _sndWl1 == segment.Sequence && !Before(ack, _sndWl2))
        {
            _sndWnd = window;
            _sndWl1 = segment.Sequence;
            _sndWl2 = ack;
            _maximumWindow = Math.Max(_maximumWindow, window);
            if (opens)
            {
                RestoreTimeout();
                _retransmitAt = ulong.MaxValue;
            }
        }
        if (duplicate)
        {
            OnDuplicateAck();
            return true;
        }
        if (ack == _sndUna)
            return true;

        uint acked = ack - _sndUna;
        int bytes = (int)Math.Min(_synAcked ? acked : acked - 1, (uint)Sending.Length);
        _synAcked = true;
        bool finAcked = _finSent && ack == _sndMax;
        Sending.Consume(bytes);
        _sndUna = ack;
        _sndNxt = Later(_sndNxt, ack);
        OnProgress(ack, acked);
        if (finAcked)
            OnFinAcked();
        else if (bytes != 0 && CanSend)
            _user.OnSendSpace();
        return State != TcpState.Closed;
    }

    void OnFinAcked()
    {
        switch (State)
        {
            case TcpState.FinWait1:
                State = TcpState.FinWait2;
                break;
            case TcpState.Closing:
                EnterTimeWait();
                break;
            case TcpState.LastAck:
                Finish();
                _user.OnFinished();
                break;
        }
    }

    void OnData(in TcpSegment segment)
    {
        ReadOnlySpan<byte> data = segment.Payload;
        uint start = segment.Sequence;
        bool fin = segment.Has(TcpFlags.Fin);
        if (data.IsEmpty && !fin)
            return;
        if (State is TcpState.CloseWait or TcpState.Closing or TcpState.LastAck or TcpState.TimeWait)
        {
            // The stream has ended: only repetitions come here.
            AckNow();
            if (State == TcpState.TimeWait)
                EnterTimeWait();
            return;
        }
        uint end = start + (uint)data.Length;
        if (Before(_rcvAdv, end))
        {
            int excess = (int)(end - _rcvAdv);
            data = excess < data.Length ? data[..^excess] : [];
            fin = false;
        }
        bool repeated = Before(start, _rcvNxt);
        if (repeated)
        {
            int old = (int)(_rcvNxt - start);
            data = old < data.Length ? data[old..] : [];
            start = _rcvNxt;
        }
        if (fin)
        {
            _peerFinSeen = true;
            _peerFin = end;
        }
        _ackPending = true;
        if (!data.IsEmpty)
            Store(start, data);
        if (_peerFinSeen && _peerFin == _rcvNxt)
            OnPeerFin();
        else if (repeated || Before(_rcvNxt, start))
            AckNow();
        _received = true;
    }

    void Store(uint start, ReadOnlySpan<byte> data)
    {
        uint end = start + (uint)data.Length;
        int offset = Received.Length + (int)(start - _rcvNxt);
        if (start != _rcvNxt)
        {
            _stack.Counters.TcpOutOfOrder++;
            if (!AddGap(start, end))
                return;
            Received.WriteAt(offset, data);
            return;
        }
        Received.WriteAt(offset, data);
        // Ranges that this one reaches are content now.
        while (_gaps.Count != 0 && !Before(end, _gaps[0].Start))
        {
            end = Later(end, _gaps[0].End);
            _gaps.RemoveAt(0);
        }
        Received.Append((int)(end - _rcvNxt));
        _rcvNxt = end;
    }

    bool AddGap(uint start, uint end)
    {
        int at = 0;
        while (at < _gaps.Count && Before(_gaps[at].End, start))
            at++;
        while (at < _gaps.Count && !Before(end, _gaps[at].Start))
        {
            start = Before(start, _gaps[at].Start) ? start : _gaps[at].Start;
            end = Later(end, _gaps[at].End);
            _gaps.RemoveAt(at);
        }
        if (_gaps.Count == MaximumGaps)
            return false;
        _gaps.Insert(at, (start, end));
        return true;
    }

    void OnPeerFin()
    {
        _peerFinished = true;
        _rcvNxt++;
        _rcvAdv = Later(_rcvAdv, _rcvNxt);
        switch (State)
        {
            case TcpState.Established:
                State = TcpState.CloseWait;
                break;
            case TcpState.FinWait1:
                State = TcpState.Closing;
                break;
            case TcpState.FinWait2:
                EnterTimeWait();
                break;
        }
    }
}
