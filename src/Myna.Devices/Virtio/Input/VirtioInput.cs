using System.Buffers.Binary;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Input;

/// <summary>What the input devices share (virtio 1.2, section 5.8): what they are, and events for the driver. Saved tags 20 to 29 are this class's.</summary>
// LIMIT: events that wait for the driver's buffers are not saved.
[Stateful("virtio-input")]
public abstract partial class VirtioInput : VirtioDevice
{
    private const byte ID_NAME = 1, ID_DEVIDS = 3, EV_BITS = 0x11, ABS_INFO = 0x12;
    private const int EventQueue = 0, StatusQueue = 1, EventSize = 8, MaxPending = 256;
    private const ushort BusVirtual = 6, Vendor = 0x0627;

    private readonly string _title;
    private readonly ushort _product;
    private readonly DescriptorChain _chain = new(), _status = new();
    [NotSaved("see the limit")]
    private readonly Queue<InputEvent> _pending = new();

    [Saved(20)] private byte _select;
    [Saved(21)] private byte _subsel;

    private protected VirtioInput(string name, string title, ushort product, AddressSpace memory, VirtioOptions? options, LogChannel? log)
        : base(VirtioDeviceId.Input, name, memory, [64, 64], options, log)
    {
        _title = title;
        _product = product;
    }

    public override int ConfigSize => 136;

    /// <summary>The driver listens.</summary>
    public bool IsActive => Running;

    protected override ulong DeviceFeatures => 0;

    internal readonly record struct InputEvent(ushort Type, ushort Code, int Value);

    internal override void WriteConfig(ulong offset, int size, ulong value)
    {
        if (offset == 0)
        {
            _select = (byte)value;
            if (size >= 2)
                _subsel = (byte)(value >> 8);
        }
        else if (offset == 1)
        {
            _subsel = (byte)value;
        }
    }

    protected override void FillConfig(Span<byte> config)
    {
        (config[0], config[1]) = (_select, _subsel);
        Span<byte> data = config[8..];
        int size = 0;
        switch (_select)
        {
            case ID_NAME:
                size = System.Text.Encoding.ASCII.GetBytes(_title, data);
                break;
            case ID_DEVIDS:
                BinaryPrimitives.WriteUInt16LittleEndian(data, BusVirtual);
                BinaryPrimitives.WriteUInt16LittleEndian(data[2..], Vendor);
                BinaryPrimitives.WriteUInt16LittleEndian(data[4..], _product);
                BinaryPrimitives.WriteUInt16LittleEndian(data[6..], 1);
                size = 8;
                break;
            case EV_BITS:
                SetBits(_subsel, data);
                size = data.LastIndexOfAnyExcept((byte)0) + 1;
                break;
            case ABS_INFO when HasAxis(_subsel):
                BinaryPrimitives.WriteInt32LittleEndian(data[4..], 0x7fff);
                size = 20;
                break;
        }
        config[2] = (byte)size;
    }

    /// <summary>The codes of an event type that the device has, as bits.</summary>
    private protected abstract void SetBits(ushort type, Span<byte> bits);

    private protected virtual bool HasAxis(int axis) => false;

    /// <summary>The driver sets a lamp.</summary>
    private protected virtual void Received(InputEvent e) { }

    /// <summary>Events that belong together, for the driver; as a whole or not at all.</summary>
    private protected void Send(params ReadOnlySpan<InputEvent> events)
    {
        if (!Running)
            return;
        lock (Queues[EventQueue].Lock)
        {
            if (_pending.Count + events.Length + 1 > MaxPending)
                return;
            foreach (InputEvent e in events)
                _pending.Enqueue(e);
            _pending.Enqueue(new InputEvent(EventCodes.EV_SYN, 0, 0));
        }
        Flush();
    }

    private protected static void SetBit(Span<byte> bits, int number) => bits[number >> 3] |= (byte)(1 << (number & 7));

    protected override void QueueNotified(int queue)
    {
        if (queue == EventQueue)
        {
            Flush();
            return;
        }
        Virtqueue q = Queues[StatusQueue];
        Span<byte> bytes = stackalloc byte[EventSize];
        lock (q.Lock)
        {
            do
            {
                q.DisableNotifications();
                while (q.TryPop(_status))
                {
                    if (_status.Read(0, bytes) == EventSize)
                        Received(new InputEvent(BinaryPrimitives.ReadUInt16LittleEndian(bytes), BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[4..])));
                    q.Push(_status, 0);
                }
                q.Signal();
            }
            while (q.EnableNotifications());
        }
    }

    protected override void Deactivated()
    {
        lock (Queues[EventQueue].Lock)
            _pending.Clear();
        _select = _subsel = 0;
    }

    private void Flush()
    {
        Virtqueue q = Queues[EventQueue];
        Span<byte> bytes = stackalloc byte[EventSize];
        lock (q.Lock)
        {
            do
            {
                while (_pending.Count != 0 && q.TryPop(_chain))
                {
                    InputEvent e = _pending.Dequeue();
                    BinaryPrimitives.WriteUInt16LittleEndian(bytes, e.Type);
                    BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], e.Code);
                    BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], e.Value);
                    q.Push(_chain, (uint)_chain.Write(0, bytes));
                }
            }
            while (_pending.Count != 0 && q.EnableNotifications());
            q.Signal();
        }
    }
}
