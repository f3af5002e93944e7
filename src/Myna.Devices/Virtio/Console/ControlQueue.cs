using System.Buffers.Binary;
using System.Text;

namespace Myna.Devices.Virtio.Console;

/// <summary>Events of control messages (virtio 1.2, section 5.3.6.2).</summary>
internal enum ControlEvent : ushort { DeviceReady = 0, PortAdd = 1, PortRemove = 2, PortReady = 3, ConsolePort = 4, Resize = 5, PortOpen = 6, PortName = 7 }

/// <summary>struct virtio_console_control.</summary>
internal readonly record struct ControlMessage(uint Port, ControlEvent Event, ushort Value)
{
    public const int Size = 8;

    public static ControlMessage Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        (ControlEvent)BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]),
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]));

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Port);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], (ushort)Event);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[6..], Value);
    }
}

/// <summary>Messages to the driver, waiting for its buffers; a bounded number.</summary>
// LIMIT: messages that wait for a buffer are not in the saved state; drivers keep buffers ready all the time.
internal sealed class ControlQueue(Virtqueue queue)
{
    private const int MaxPending = 4 * VirtioConsole.MaxPorts;

    private readonly Queue<byte[]> _pending = new();
    private readonly DescriptorChain _chain = new();

    /// <summary>For the driver's own messages, under that queue's lock.</summary>
    public DescriptorChain Chain { get; } = new();

    public void Add(ControlMessage message, string text = "")
    {
        byte[] bytes = new byte[ControlMessage.Size + Encoding.UTF8.GetByteCount(text)];
        message.Write(bytes);
        Encoding.UTF8.GetBytes(text, bytes.AsSpan(ControlMessage.Size));
        lock (queue.Lock)
        {
            // A driver that asks and never listens loses the answers.
            if (_pending.Count < MaxPending)
                _pending.Enqueue(bytes);
        }
    }

    public void Flush()
    {
        lock (queue.Lock)
        {
            do
            {
                while (_pending.Count != 0 && queue.TryPop(_chain))
                    queue.Push(_chain, (uint)_chain.Write(0, _pending.Dequeue()));
            }
            while (_pending.Count != 0 && queue.EnableNotifications());
            queue.Signal();
        }
    }

    public void Clear()
    {
        lock (queue.Lock)
            _pending.Clear();
    }
}
