using Myna.Network.Wire;

namespace Myna.Network.Tests.Tcp;

/// <summary>
/// The guest's end of a connection, simple and strict: it takes bytes in order only, sends within the offered window and
/// goes back to the first unacknowledged byte when nothing moves for 300 ms of the harness's time.
/// </summary>
internal sealed class GuestTcp
{
    const int Mss = 1000, Scale = 2;
    const ulong Patience = 300_000_000;

    readonly StackHarness _h;
    readonly Ipv4Endpoint _local, _remote;
    readonly Func<bool> _lose;
    readonly List<byte> _output = [];
    readonly uint _iss;
    uint _una, _nxt, _rcvNxt, _window;
    int _peerScale;
    bool _finWanted;
    ulong _lastMove;

    public GuestTcp(StackHarness h, ushort port, Ipv4Endpoint remote, Func<bool>? lose = null, uint iss = 0xFFFFFF00)
    {
        _h = h;
        _local = new(StackHarness.Guest, port);
        _remote = remote;
        _lose = lose ?? (() => false);
        _iss = iss;
        _una = _nxt = iss;
    }

    public List<byte> Input { get; } = [];
    public bool Established { get; private set; }
    public bool PeerFinished { get; private set; }
    public bool WasReset { get; private set; }
    public bool AllAcknowledged => Established && _una == _iss + 1 + (uint)_output.Count + (_finWanted ? 1u : 0);

    /// <summary>Bytes of input that the guest is ready to take.</summary>
    public int ReceiveWindow { get; set; } = 100_000;

    /// <summary>The largest segment that came.</summary>
    public int LargestSegment { get; private set; }

    public uint PeerWindow => _window;
    public uint Next => _nxt;
    public uint ReceiveNext => _rcvNxt;

    public void Connect()
    {
        _nxt = _iss;
        Emit(TcpFlags.Syn, _iss, [], mss: Mss, scale: Scale);
        _nxt = _iss + 1;
        _lastMove = _h.Now;
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        _output.AddRange(bytes);
        Push();
    }

    public void Close()
    {
        _finWanted = true;
        Push();
    }

    public void Reset() => Emit(TcpFlags.Rst, _nxt, []);

    /// <summary>Any segment at all.</summary>
    public void Emit(TcpFlags flags, uint sequence, ReadOnlySpan<byte> payload, ushort mss = 0, int scale = -1, uint? ack = null)
    {
        if (_lose())
            return;
        var segment = new TcpSegment
        {
            SourcePort = _local.Port, DestinationPort = _remote.Port, Sequence = sequence,
            Acknowledgment = ack ?? _rcvNxt, Flags = flags, MaximumSegmentSize = mss, WindowScale = scale,
            Window = (ushort)Math.Min(65535, (flags & TcpFlags.Syn) != 0 ? ReceiveWindow : ReceiveWindow >> Scale),
        };
        byte[] bytes = new byte[segment.EncodedHeaderSize + payload.Length];
        payload.CopyTo(bytes.AsSpan(segment.EncodedHeaderSize));
        segment.Write(bytes, _local.Address, _remote.Address);
        _h.SendIp(_local.Address, _remote.Address, IpProtocol.Tcp, bytes);
    }

    /// <summary>Sends what the window allows, again from the start when nothing moved for long.</summary>
    public void Push()
    {
        if (!Established)
        {
            if (!WasReset && _nxt != _iss && _h.Now - _lastMove > Patience)
                Connect();
            return;
        }
        if (!AllAcknowledged && _h.Now - _lastMove > Patience)
        {
            _nxt = _una;
            _lastMove = _h.Now;
        }
        uint end = _iss + 1 + (uint)_output.Count;
        while ((int)(end - _nxt) > 0 && _nxt - _una < _window)
        {
            int at = (int)(_nxt - _iss - 1);
            int length = (int)Math.Min(Math.Min(Mss, _output.Count - at), _window - (_nxt - _una));
            uint sequence = _nxt;
            _nxt += (uint)length;
            Emit(TcpFlags.Ack | TcpFlags.Psh, sequence, _output.GetRange(at, length).ToArray());
        }
        if (_finWanted && _nxt == end)
        {
            _nxt = end + 1;
            Emit(TcpFlags.Ack | TcpFlags.Fin, end, []);
        }
    }

    public void SendWindow() => Emit(TcpFlags.Ack, _nxt, []);

    /// <summary>Takes the frame if it belongs to this connection.</summary>
    public bool OnFrame(byte[] frame)
    {
        Ipv4Packet packet = StackHarness.Ip(frame);
        if (packet.Protocol != IpProtocol.Tcp)
            return false;
        Assert.True(TcpSegment.TryParse(packet.Payload, packet.Source, packet.Destination, out TcpSegment s));
        if (packet.Source != _remote.Address || s.SourcePort != _remote.Port || s.DestinationPort != _local.Port)
            return false;
        if (!_lose())
            OnSegment(s);
        return true;
    }

    void OnSegment(in TcpSegment s)
    {
        LargestSegment = Math.Max(LargestSegment, s.Payload.Length);
        if (s.Has(TcpFlags.Rst))
        {
            WasReset = true;
            Established = false;
            return;
        }
        if (s.Has(TcpFlags.Syn))
        {
            Assert.Equal(_iss + 1, s.Acknowledgment);
            _rcvNxt = s.Sequence + 1;
            _peerScale = s.WindowScale;
            Assert.True(_peerScale >= 0 && s.MaximumSegmentSize == 1460);
            _window = s.Window;
            _una = _iss + 1;
            Established = true;
            _lastMove = _h.Now;
            Emit(TcpFlags.Ack, _nxt, []);
            Push();
            return;
        }
        Assert.True(s.Has(TcpFlags.Ack));
        Assert.True((int)(_nxt - s.Acknowledgment) >= 0 || AllAcknowledged, "acknowledges what was never sent");
        if ((int)(s.Acknowledgment - _una) > 0)
        {
            _una = s.Acknowledgment;
            if ((int)(_una - _nxt) > 0)
                _nxt = _una;
            _lastMove = _h.Now;
        }
        _window = (uint)s.Window << _peerScale;
        if (s.Payload.Length != 0 || s.Has(TcpFlags.Fin))
        {
            int skip = (int)(_rcvNxt - s.Sequence);
            if (skip >= 0 && skip <= s.Payload.Length && !PeerFinished)
            {
                ReadOnlySpan<byte> fresh = s.Payload[skip..];
                int take = Math.Min(fresh.Length, ReceiveWindow);
                Input.AddRange(fresh[..take]);
                _rcvNxt += (uint)take;
                if (s.Has(TcpFlags.Fin) && take == fresh.Length)
                {
                    PeerFinished = true;
                    _rcvNxt++;
                }
            }
            Emit(TcpFlags.Ack, _nxt, []);
        }
        Push();
    }
}
