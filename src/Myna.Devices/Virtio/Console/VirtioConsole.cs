using System.Buffers.Binary;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Console;

/// <summary>A port of a <see cref="VirtioConsole"/>.</summary>
/// <param name="Name">The guest's name for it (/dev/virtio-ports/NAME), or null for a console (hvc0).</param>
public sealed record ConsolePortOptions(ICharBackend Backend, string? Name = null);

/// <summary>
/// The console device (virtio 1.2, section 5.3). With one unnamed port it is a plain console whose size the guest
/// follows; with names or several ports it offers VIRTIO_CONSOLE_F_MULTIPORT.
/// </summary>
[Stateful("virtio-console")]
public sealed partial class VirtioConsole : VirtioDevice
{
    /// <summary>Ports of one device.</summary>
    public const int MaxPorts = 31;

    private const ulong FeatureSize = 1 << 0, FeatureMultiport = 1 << 1, FeatureEmergWrite = 1 << 2;
    private const int ConfigColumns = 0, ConfigRows = 2, ConfigMaxPorts = 4, ConfigEmergWrite = 8;
    private const ushort QueueSize = 256, ControlQueueSize = 64;
    private const int ControlReceive = 2, ControlTransmit = 3;

    [Saved(23)]
    private readonly ConsolePort[] _ports;

    private readonly bool _multiport;
    private readonly ControlQueue _control;

    [Saved(20)]
    private ushort _columns;

    [Saved(21)]
    private ushort _rows;

    [Saved(22)]
    private readonly byte[] _open;

    /// <exception cref="ArgumentException">No port, or more than <see cref="MaxPorts"/>.</exception>
    public VirtioConsole(AddressSpace memory, IReadOnlyList<ConsolePortOptions> ports, VirtioOptions? options = null, LogChannel? log = null)
        : base(VirtioDeviceId.Console, "virtio-console", memory, Sizes(ports), options, log)
    {
        _multiport = IsMultiport(ports);
        _open = new byte[ports.Count];
        _ports = new ConsolePort[ports.Count];
        for (int i = 0; i < _ports.Length; i++)
        {
            int first = i == 0 ? 0 : 2 + 2 * i;
            _ports[i] = new ConsolePort(this, i, ports[i], Queues[first], Queues[first + 1]);
        }
        _control = _multiport ? new ControlQueue(Queues[ControlReceive]) : new ControlQueue(Queues[0]);
    }

    /// <summary>One unnamed port.</summary>
    public VirtioConsole(AddressSpace memory, ICharBackend backend, VirtioOptions? options = null, LogChannel? log = null)
        : this(memory, [new ConsolePortOptions(backend)], options, log) { }

    public override int ConfigSize => 12;

    protected override ulong DeviceFeatures => FeatureSize | FeatureEmergWrite | (_multiport ? FeatureMultiport : 0);

    /// <summary>The terminal's size changed; in characters. Known to plain consoles only.</summary>
    // LIMIT: VIRTIO_CONSOLE_RESIZE of multiport devices: drivers disagree with the specification about its field order.
    public void Resize(ushort columns, ushort rows)
    {
        _columns = columns;
        _rows = rows;
        ConfigChanged();
    }

    /// <summary>The guest can receive on the port: its driver, and under multiport a program, has it open.</summary>
    internal bool IsOpen(int port) => !Negotiated(FeatureMultiport) || _open[port] != 0;

    internal override void WriteConfig(ulong offset, int size, ulong value)
    {
        if (offset == ConfigEmergWrite)
            _ports[0].Backend.Write([(byte)value]);
    }

    protected override void FillConfig(Span<byte> config)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(config[ConfigColumns..], _columns);
        BinaryPrimitives.WriteUInt16LittleEndian(config[ConfigRows..], _rows);
        BinaryPrimitives.WriteUInt32LittleEndian(config[ConfigMaxPorts..], (uint)_ports.Length);
    }

    protected override void QueueNotified(int queue)
    {
        if (!_multiport || queue < 2)
        {
            PortNotified(0, queue);
        }
        else if (queue == ControlReceive)
        {
            _control.Flush();
        }
        else if (queue == ControlTransmit)
        {
            ReadControl();
        }
        else
        {
            PortNotified((queue - 2) / 2, queue & 1);
        }
    }

    protected override void Deactivated()
    {
        Array.Clear(_open);
        _control.Clear();
        foreach (ConsolePort port in _ports)
            port.Clear();
    }

    private void PortNotified(int port, int direction)
    {
        if (direction == 0)
            _ports[port].Flush();
        else
            _ports[port].Transmit();
    }

    /// <summary>Messages of the driver (section 5.3.6.2).</summary>
    private void ReadControl()
    {
        Virtqueue q = Queues[ControlTransmit];
        Span<byte> bytes = stackalloc byte[ControlMessage.Size];
        ulong opened = 0;
        lock (q.Lock)
        {
            do
            {
                q.DisableNotifications();
                while (q.TryPop(_control.Chain))
                {
                    bool whole = _control.Chain.Read(0, bytes) == ControlMessage.Size;
                    q.Push(_control.Chain, 0);
                    if (whole)
                        opened |= Handle(ControlMessage.Parse(bytes));
                }
                q.Signal();
            }
            while (q.EnableNotifications());
        }
        _control.Flush();
        for (int i = 0; i < _ports.Length; i++)
        {
            if ((opened >> i & 1) != 0)
                _ports[i].Flush();
        }
    }

    /// <returns>The ports that were opened, as bits.</returns>
    private ulong Handle(ControlMessage message)
    {
        if (message.Event == ControlEvent.DeviceReady)
        {
            for (uint i = 0; message.Value != 0 && i < _ports.Length; i++)
                _control.Add(new ControlMessage(i, ControlEvent.PortAdd, 1));
            return 0;
        }
        if (message.Port >= (uint)_ports.Length)
        {
            Log.Guest($"control message for port {message.Port} of {_ports.Length}");
            return 0;
        }
        switch (message.Event)
        {
            case ControlEvent.PortReady when message.Value != 0:
                if (_ports[message.Port].Name is { } name)
                    _control.Add(new ControlMessage(message.Port, ControlEvent.PortName, 1), name);
                else
                    _control.Add(new ControlMessage(message.Port, ControlEvent.ConsolePort, 1));
                // The host's side is always there.
                _control.Add(new ControlMessage(message.Port, ControlEvent.PortOpen, 1));
                break;
            case ControlEvent.PortOpen:
                _open[message.Port] = (byte)(message.Value != 0 ? 1 : 0);
                return message.Value != 0 ? 1UL << (int)message.Port : 0;
        }
        return 0;
    }

    private static bool IsMultiport(IReadOnlyList<ConsolePortOptions> ports) => ports.Count > 1 || ports[0].Name is not null;

    private static ushort[] Sizes(IReadOnlyList<ConsolePortOptions> ports)
    {
        if (ports.Count is 0 or > MaxPorts)
            throw new ArgumentException($"a console has 1 to {MaxPorts} ports", nameof(ports));
        if (!IsMultiport(ports))
            return [QueueSize, QueueSize];
        ushort[] sizes = new ushort[2 + 2 * ports.Count];
        Array.Fill(sizes, QueueSize);
        sizes[ControlReceive] = sizes[ControlTransmit] = ControlQueueSize;
        return sizes;
    }
}
