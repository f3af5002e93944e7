using System.Buffers.Binary;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Net;

/// <summary>
/// The network device (virtio 1.2, section 5.1): one pair of queues and a control queue, mergeable receive buffers.
/// </summary>
/// <remarks>
/// DEVIATION: receive filters are accepted and not applied (section 5.1.6.5.1 calls them best-effort); a back end sends
/// a guest only what is meant for it.
/// </remarks>
// LIMIT: no checksum or segmentation offload, no multiqueue.
[Stateful("virtio-net")]
public sealed partial class VirtioNet : VirtioDevice, INetFrontend
{
    /// <summary>Bytes of the shortest and the longest frame, without FCS.</summary>
    public const int MinFrame = 14, MaxFrame = 65550;

    private const int Rx = 0, Tx = 1, Control = 2;

    private readonly INetBackend _backend;
    private readonly ushort _mtu;
    private readonly DescriptorChain _txChain = new(), _controlChain = new();

    [NotSaved("a frame on its way")]
    private readonly byte[] _txFrame = new byte[MaxFrame];

    [NotSaved("buffers of the frame being received; grows to what one frame takes")]
    private DescriptorChain[] _rxChains = [new()];

    [NotSaved("the back end asks again")]
    private bool _rxStarved;

    [NotSaved("given by the machine")]
    private readonly byte[] _permanentMac;

    [Saved(20)]
    private readonly byte[] _mac = new byte[6];

    [Saved(21)]
    private bool _linkDown;

    /// <param name="mac">Six bytes.</param>
    /// <param name="mtu">Bytes, 68 to 65535, or 0 to say nothing.</param>
    /// <exception cref="ArgumentException">Not a unicast MAC address.</exception>
    public VirtioNet(AddressSpace memory, INetBackend backend, ReadOnlySpan<byte> mac, ushort mtu = 0, VirtioOptions? options = null, LogChannel? log = null)
        : base(VirtioDeviceId.Net, "virtio-net", memory, [256, 256, 64], options, log)
    {
        if (mac.Length != 6 || (mac[0] & 1) != 0)
            throw new ArgumentException("a network device needs a unicast MAC address of six bytes", nameof(mac));
        _permanentMac = mac.ToArray();
        _permanentMac.CopyTo(_mac, 0);
        _mtu = mtu;
        _backend = backend;
        backend.Attach(this);
    }

    public override int ConfigSize => NetConfig.Size;

    protected override ulong DeviceFeatures => NetFeature.Mac | NetFeature.MrgRxbuf | NetFeature.Status
        | NetFeature.CtrlVq | NetFeature.CtrlRx | NetFeature.CtrlMacAddr | (_mtu != 0 ? NetFeature.Mtu : 0);

    /// <summary>Plugs or pulls the cable.</summary>
    public void SetLink(bool up)
    {
        Volatile.Write(ref _linkDown, !up);
        ConfigChanged();
    }

    /// <inheritdoc/>
    public bool Receive(ReadOnlySpan<byte> frame)
    {
        Virtqueue q = Queues[Rx];
        lock (q.Lock)
        {
            // A guest that does not listen loses what is sent, as on a wire.
            if (!q.Live || Volatile.Read(ref _linkDown) || frame.Length is < MinFrame or > MaxFrame)
                return true;
            if (!Deliver(q, frame, out _rxStarved))
                return !_rxStarved;
            q.Signal();
            return true;
        }
    }

    protected override void FillConfig(Span<byte> config)
    {
        _mac.CopyTo(config);
        BinaryPrimitives.WriteUInt16LittleEndian(config[NetConfig.Status..], Volatile.Read(ref _linkDown) ? (ushort)0 : NetConfig.LinkUp);
        BinaryPrimitives.WriteUInt16LittleEndian(config[NetConfig.MaxVirtqueuePairs..], 1);
        BinaryPrimitives.WriteUInt16LittleEndian(config[NetConfig.Mtu..], _mtu);
    }

    protected override void QueueNotified(int queue)
    {
        switch (queue)
        {
            case Rx: RxNotified(); break;
            case Tx: Transmit(); break;
            case Control: ReadControl(); break;
        }
    }

    protected override void Deactivated()
    {
        _permanentMac.CopyTo(_mac, 0);
        bool starved;
        lock (Queues[Rx].Lock)
            (starved, _rxStarved) = (_rxStarved, false);
        if (starved)
            _backend.ReceiveReady();
    }

    private void RxNotified()
    {
        bool starved;
        lock (Queues[Rx].Lock)
            (starved, _rxStarved) = (_rxStarved, false);
        // Outside the lock: the back end calls Receive from here or from its own thread.
        if (starved)
            _backend.ReceiveReady();
    }

    /// <summary>Puts header and frame into receive buffers (section 5.1.6.4).</summary>
    /// <param name="starved">Not delivered for want of buffers, which were put back; otherwise the frame cannot be delivered.</param>
    private bool Deliver(Virtqueue q, ReadOnlySpan<byte> frame, out bool starved)
    {
        starved = false;
        bool merge = Negotiated(NetFeature.MrgRxbuf);
        int total = NetHeader.Size + frame.Length, count = 0;
        for (long room = 0; room < total; count++)
        {
            if (count == _rxChains.Length)
                Array.Resize(ref _rxChains, count * 2);
            DescriptorChain chain = _rxChains[count] ??= new DescriptorChain();
            // Without merging a frame too long for its buffer is dropped, and the buffer stays for the next one.
            bool tooLong = count != 0 && !merge;
            if (tooLong || !TryPopOrAsk(q, chain))
            {
                while (--count >= 0)
                    q.Unpop(_rxChains[count]);
                starved = !tooLong && q.Live;
                return false;
            }
            if (count == 0 && chain.WritableLength < NetHeader.Size)
            {
                SetNeedsReset("queue 0: a receive buffer shorter than the header");
                return false;
            }
            room += chain.WritableLength;
        }
        Span<byte> header = stackalloc byte[NetHeader.Size];
        header.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(header[NetHeader.NumBuffers..], (ushort)count);
        int sent = 0;
        for (int i = 0; i < count; i++)
        {
            DescriptorChain chain = _rxChains[i];
            uint at = 0;
            if (i == 0)
                at = (uint)chain.Write(0, header);
            int n = chain.Write(at, frame[sent..]);
            sent += n;
            q.Push(chain, at + (uint)n);
        }
        return true;
    }

    /// <summary>Pops, or makes sure that the driver notifies of the next buffer.</summary>
    private static bool TryPopOrAsk(Virtqueue q, DescriptorChain chain)
        => q.TryPop(chain) || (q.EnableNotifications() && q.TryPop(chain));

    private void Transmit()
    {
        Virtqueue q = Queues[Tx];
        lock (q.Lock)
        {
            do
            {
                q.DisableNotifications();
                while (q.TryPop(_txChain))
                {
                    long length = (long)_txChain.ReadableLength - NetHeader.Size;
                    if (length is >= MinFrame and <= MaxFrame)
                    {
                        // Copied: the guest cannot change a frame while it is looked at.
                        int n = _txChain.Read(NetHeader.Size, _txFrame.AsSpan(0, (int)length));
                        if (!Volatile.Read(ref _linkDown))
                            _backend.Send(_txFrame.AsSpan(0, n));
                    }
                    else
                    {
                        Log.Guest($"a frame of {length} bytes");
                    }
                    q.Push(_txChain, 0);
                }
                q.Signal();
            }
            while (q.EnableNotifications());
        }
    }

    private void ReadControl()
    {
        Virtqueue q = Queues[Control];
        lock (q.Lock)
        {
            do
            {
                q.DisableNotifications();
                while (q.TryPop(_controlChain))
                {
                    byte ack = Execute(_controlChain) ? NetControl.Ok : NetControl.Err;
                    q.Push(_controlChain, (uint)_controlChain.Write(0, [ack]));
                }
                q.Signal();
            }
            while (q.EnableNotifications());
        }
    }

    private bool Execute(DescriptorChain command)
    {
        Span<byte> header = stackalloc byte[NetControl.HeaderSize];
        if (command.Read(0, header) != header.Length)
            return false;
        switch (header[0], header[1])
        {
            case (NetControl.ClassRx, <= NetControl.RxNoBroadcast):
                return command.ReadableLength == NetControl.HeaderSize + 1;
            case (NetControl.ClassMac, NetControl.MacTableSet):
                return command.ReadableLength >= NetControl.HeaderSize + 8;
            case (NetControl.ClassMac, NetControl.MacAddrSet):
                return command.ReadableLength == NetControl.HeaderSize + 6 && command.Read(NetControl.HeaderSize, _mac) == 6;
            default:
                return false;
        }
    }
}
