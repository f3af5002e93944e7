using Myna.Network.Wire;

namespace Myna.Network.Tcp;

internal sealed partial class TcpEndpoint
{
    const ulong Millisecond = 1_000_000;
    const ulong InitialTimeout = 1000 * Millisecond, MinimumTimeout = 200 * Millisecond, MaximumTimeout = 60_000 * Millisecond;
    const int MaximumRetries = 12, MaximumSynRetries = 6, MaximumProbes = 5;

    /// <summary>A guest that says nothing for so long is asked whether it still lives, and so often.</summary>
    const ulong KeepAliveTime = 600_000 * Millisecond, KeepAliveInterval = 30_000 * Millisecond;

    /// <summary>DEVIATION: not two maximum segment lifetimes; nothing lives long on this link.</summary>
    const ulong TimeWaitTime = 2_000 * Millisecond;

    bool _ackPending;
    ulong _lastHeard;
    int _probes;

    // RFC 6298. 0 in _smoothed means no measurement yet.
    ulong _smoothed, _variation, _timeout = InitialTimeout;
    ulong _retransmitAt = ulong.MaxValue, _timeWaitEnd;
    uint _timedSequence;
    ulong _timedSince;
    bool _timing;
    int _retries;

    // After a timeout: bytes that may be under way, doubling with each acknowledgment; otherwise unlimited.
    uint _allowance = uint.MaxValue;
    uint _recover;
    bool _fastRecovery;
    int _duplicates;

    uint InFlight => _sndNxt - _sndUna;

    /// <summary>To be flushed at the end of the batch.</summary>
    public void Touch() => _stack.Tcp.MarkDirty(this);

    /// <summary>Sends what may be sent.</summary>
    /// <returns>False when the way to the guest is full and there is more to send.</returns>
    public bool Flush()
    {
        if (_received)
        {
            _received = false;
            _user.OnReceived();
        }
        if (State is TcpState.Waiting or TcpState.Closed or TcpState.SynSent or TcpState.SynReceived)
            return true;
        bool complete = Output();
        // Window updates that are worth a segment (RFC 9293 §3.8.6.2.2).
        if (!_peerFinished && NewRightEdge() - _rcvAdv >= (uint)Math.Min(Received.Limit / 2, 2 * OwnMss)
            && Before(_rcvAdv, NewRightEdge()))
            _ackPending = true;
        if (_ackPending)
        {
            if (_stack.Link.Congested)
                complete = false;
            else
                Send(_sndNxt, TcpFlags.Ack, default, 0);
        }
        SetDeadline();
        return complete;
    }

    bool Output()
    {
        while (true)
        {
            uint inFlight = InFlight;
            int unsent = Sending.Length - (int)inFlight;
            uint window = Math.Min(_sndWnd, _allowance);
            int usable = window > inFlight ? (int)Math.Min(window - inFlight, int.MaxValue) : 0;
            int length = Math.Max(0, Math.Min(Math.Min(unsent, usable), _mss));
            bool fin = _finQueued && unsent == length && !FinIsOut;
            if (length == 0 && !fin)
                break;
            // Sender's silly window avoidance: wait for more window rather than send crumbs.
            if (length < _mss && length < unsent && inFlight != 0 && length < _maximumWindow / 2)
                break;
            if (_stack.Link.Congested)
                return false;
            SendData(inFlight, length, fin);
        }
        // With data but no window the timer asks for some (RFC 9293 §3.8.6.1).
        bool idle = InFlight == 0 && Sending.Length == 0;
        if (idle)
            _retransmitAt = ulong.MaxValue;
        else if (_retransmitAt == ulong.MaxValue)
            ArmRetransmit();
        return true;
    }

    /// <summary>FIN lies before <see cref="_sndNxt"/>.</summary>
    bool FinIsOut => _finSent && (State is TcpState.FinWait2 or TcpState.TimeWait || InFlight > (uint)Sending.Length);

    void SendData(uint offset, int length, bool fin)
    {
        uint sequence = _sndNxt;
        TcpFlags flags = TcpFlags.Ack;
        if (length != 0 && offset + (uint)length == (uint)Sending.Length)
            flags |= TcpFlags.Psh;
        if (fin)
            flags |= TcpFlags.Fin;
        _sndNxt += (uint)length + (fin ? 1u : 0);
        if (Before(sequence, _sndMax))
        {
            _stack.Counters.TcpRetransmissions++;
        }
        else if (!_timing)
        {
            _timing = true;
            _timedSequence = _sndNxt;
            _timedSince = _stack.Now;
        }
        _sndMax = Later(_sndMax, _sndNxt);
        if (fin && !_finSent)
        {
            _finSent = true;
            State = State == TcpState.CloseWait ? TcpState.LastAck : TcpState.FinWait1;
        }
        Send(sequence, flags, Sending, (int)offset, length);
        if (_retransmitAt == ulong.MaxValue)
            ArmRetransmit();
    }

    void SendSyn()
    {
        bool passive = State == TcpState.SynReceived;
        int header = TcpSegment.HeaderSize + 4 + (_rcvScale > 0 || !passive ? 4 : 0);
        // RFC 7323 §2.2: a window scale only in answer to one, and zero is a scale.
        bool scale = !passive || _rcvScale > 0;
        uint window = Math.Min(65535u, (uint)Received.Free);
        if (passive)
            _rcvAdv = Later(_rcvAdv, _rcvNxt + window);
        var segment = new TcpSegment
        {
            SourcePort = Key.Remote.Port,
            DestinationPort = Key.Guest.Port,
            Sequence = _iss,
            Acknowledgment = passive ? _rcvNxt : 0,
            Flags = passive ? TcpFlags.Syn | TcpFlags.Ack : TcpFlags.Syn,
            Window = (ushort)window,
            MaximumSegmentSize = (ushort)OwnMss,
            WindowScale = scale ? _rcvScale : -1,
        };
        _sndNxt = _sndMax = _iss + 1;
        segment.Write(_stack.PayloadBuffer[..header], Key.Remote.Address, Key.Guest.Address);
        _stack.SendIp(Key.Remote.Address, Key.Guest.Address, IpProtocol.Tcp, header);
        if (_retransmitAt == ulong.MaxValue)
            ArmRetransmit();
        SetDeadline();
    }

    void AckNow()
    {
        if (State is TcpState.Closed or TcpState.Waiting)
            return;
        Send(_sndNxt, TcpFlags.Ack, default, 0);
        SetDeadline();
    }

    uint NewRightEdge()
    {
        uint window = (uint)Received.Free;
        return Later(_rcvAdv, _rcvNxt + Math.Min(window, 65535u << _rcvScale));
    }

    void Send(uint sequence, TcpFlags flags, ByteRing? data, int offset, int length = 0)
    {
        Span<byte> buffer = _stack.PayloadBuffer[..(TcpSegment.HeaderSize + length)];
        data?.CopyTo(offset, buffer[TcpSegment.HeaderSize..]);
        if (!_peerFinished)
            _rcvAdv = NewRightEdge();
        var segment = new TcpSegment
        {
            SourcePort = Key.Remote.Port,
            DestinationPort = Key.Guest.Port,
            Sequence = sequence,
            Acknowledgment = (flags & TcpFlags.Ack) != 0 ? _rcvNxt : 0,
            Flags = flags,
            Window = (ushort)Math.Min(65535u, _rcvAdv - _rcvNxt >> _rcvScale),
            WindowScale = -1,
        };
        segment.Write(buffer, Key.Remote.Address, Key.Guest.Address);
        _stack.SendIp(Key.Remote.Address, Key.Guest.Address, IpProtocol.Tcp, buffer.Length);
        _ackPending = false;
    }

    /// <summary>New data was acknowledged.</summary>
    void OnProgress(uint ack, uint acked)
    {
        if (_timing && !Before(ack, _timedSequence))
        {
            _timing = false;
            Measure(Math.Max(1, _stack.Now - _timedSince));
        }
        _retries = 0;
        _duplicates = 0;
        RestoreTimeout();
        if (_allowance != uint.MaxValue)
            _allowance = _allowance > int.MaxValue ? uint.MaxValue : _allowance + Math.Max(acked, (uint)_mss);
        if (_fastRecovery)
        {
            if (Before(ack, _recover))
                RetransmitFirst();
            else
                _fastRecovery = false;
        }
        _retransmitAt = ulong.MaxValue;
        if (_sndMax != _sndUna)
            ArmRetransmit();
    }

    /// <summary>RFC 5681 §3.2 and RFC 6582, but for the congestion window.</summary>
    void OnDuplicateAck()
    {
        if (++_duplicates != 3 || _fastRecovery || _allowance != uint.MaxValue)
            return;
        _fastRecovery = true;
        _recover = _sndMax;
        RetransmitFirst();
    }

    void RetransmitFirst()
    {
        uint next = _sndNxt;
        _timing = false;
        _sndNxt = _sndUna;
        int length = Math.Min(_mss, Sending.Length);
        bool fin = _finSent && length == Sending.Length;
        if (length != 0 || fin)
            SendData(0, length, fin);
        _sndNxt = Later(_sndNxt, next);
    }

    void Measure(ulong sample)
    {
        if (_smoothed == 0)
        {
            _smoothed = sample;
            _variation = sample / 2;
        }
        else
        {
            ulong difference = sample > _smoothed ? sample - _smoothed : _smoothed - sample;
            _variation = (3 * _variation + difference) / 4;
            _smoothed = (7 * _smoothed + sample) / 8;
        }
    }

    void RestoreTimeout() =>
        _timeout = _smoothed == 0 ? InitialTimeout : Math.Clamp(_smoothed + 4 * _variation, MinimumTimeout, MaximumTimeout);

    void ArmRetransmit() => _retransmitAt = _stack.Now + _timeout;

    void EnterTimeWait()
    {
        if (State != TcpState.TimeWait)
        {
            State = TcpState.TimeWait;
            _user.OnFinished();
        }
        _retransmitAt = ulong.MaxValue;
        _timeWaitEnd = _stack.Now + TimeWaitTime;
        SetDeadline();
    }

    void SetDeadline()
    {
        Deadline = State switch
        {
            TcpState.Closed or TcpState.Waiting => ulong.MaxValue,
            TcpState.TimeWait => _timeWaitEnd,
            _ when _retransmitAt != ulong.MaxValue => _retransmitAt,
            _ => _lastHeard + KeepAliveTime + (ulong)_probes * KeepAliveInterval,
        };
        _stack.Deadlines.Update(this);
    }

    public override void OnDeadline(ulong now)
    {
        switch (State)
        {
            case TcpState.Waiting or TcpState.Closed:
                Deadline = ulong.MaxValue;
                return;
            case TcpState.TimeWait:
                if (now >= _timeWaitEnd)
                    Finish();
                return;
        }
        if (now >= _retransmitAt)
            OnRetransmitTimeout();
        else if (_retransmitAt == ulong.MaxValue && now >= _lastHeard + KeepAliveTime)
            OnKeepAlive();
        if (State != TcpState.Closed)
            SetDeadline();
    }

    void OnRetransmitTimeout()
    {
        bool handshake = State is TcpState.SynSent or TcpState.SynReceived;
        bool probing = !handshake && _sndWnd == 0 && Sending.Length != 0;
        // Probes of a shut window go on as long as the guest answers; OnSegment sets _probes to zero.
        if (probing ? ++_probes > MaximumRetries : ++_retries > (handshake ? MaximumSynRetries : MaximumRetries))
        {
            Give();
            return;
        }
        _timeout = Math.Min(_timeout * 2, MaximumTimeout);
        ArmRetransmit();
        _timing = false;
        if (handshake)
        {
            _stack.Counters.TcpRetransmissions++;
            SendSyn();
        }
        else if (probing)
        {
            // One byte beyond the window, without counting it as sent.
            Send(_sndUna, TcpFlags.Ack, Sending, 0, 1);
            _sndNxt = _sndUna;
            _sndMax = Later(_sndMax, _sndUna + 1);
        }
        else
        {
            _sndNxt = _sndUna;
            _allowance = (uint)_mss;
            _fastRecovery = false;
            _duplicates = 0;
            Touch();
        }
    }

    void OnKeepAlive()
    {
        if (++_probes > MaximumProbes)
            Give();
        else
            Send(_sndUna - 1, TcpFlags.Ack, default, 0);
    }

    /// <summary>The guest does not answer.</summary>
    void Give()
    {
        _stack.Counters.TcpReset++;
        Send(_sndNxt, TcpFlags.Rst | TcpFlags.Ack, default, 0);
        Finish();
        _user.OnReset();
    }
}
