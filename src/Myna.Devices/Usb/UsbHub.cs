using System.Buffers.Binary;
using Myna.Hardware.State;

namespace Myna.Devices.Usb;

/// <summary>A high-speed hub with eight ports (USB 2.0, chapter 11), whose power is switched for all of them.</summary>
[Stateful("usb-hub")]
public sealed partial class UsbHub : UsbDevice
{
    /// <summary>Downstream ports, 1 to 8.</summary>
    public const int PortCount = 8;

    private const int In = 0x81;
    private const byte CLEAR_TT_BUFFER = 8, RESET_TT = 9, STOP_TT = 11, HubDescriptor = 0x29;

    // Features (table 11-17).
    private const int PORT_ENABLE = 1, PORT_SUSPEND = 2, PORT_RESET = 4, PORT_POWER = 8, C_PORT_CONNECTION = 16, C_PORT_RESET = 20, PORT_TEST = 21, PORT_INDICATOR = 22;

    [Saved(20)] private readonly HubPort[] _ports = new HubPort[PortCount];

    public UsbHub() : base("usb-hub", UsbSpeed.High, new UsbDescription(UsbSpeed.High, 0x0409, 0x55aa, "Myna USB Hub", "", (9, 0, 1), (9, 0, 0), [],
        new UsbEndpoint(In, UsbEndpoint.Interrupt, 2, 12)))
    {
        for (int i = 0; i < PortCount; i++)
            _ports[i] = new HubPort();
    }

    internal override IEnumerable<UsbDevice> Children => _ports.Where(p => p.Device is not null).Select(p => p.Device!);

    /// <summary>Plugs a device into the next free port, before the machine starts.</summary>
    /// <returns>The port's number; 0 when there is none.</returns>
    public int Add(UsbDevice device)
    {
        for (int i = 0; i < PortCount; i++)
        {
            if (_ports[i].Device is not null)
                continue;
            _ports[i].Device = device;
            if (Host is { } host)
                device.Attach(host);
            return i + 1;
        }
        return 0;
    }

    internal override void Attach(IUsbHost host)
    {
        base.Attach(host);
        foreach (HubPort port in _ports)
            port.Device?.Attach(host);
    }

    internal override UsbDevice? Behind(int port)
        => port is >= 1 and <= PortCount && (_ports[port - 1].Status & HubPort.Enabled) != 0 ? _ports[port - 1].Device : null;

    /// <summary>A device comes or goes.</summary>
    internal bool SetAttached(UsbDevice device, bool attached)
    {
        foreach (HubPort port in _ports)
        {
            if (port.Device != device || port.Attached == attached)
                continue;
            port.Attached = attached;
            device.PowerOn();
            if ((port.Status & HubPort.Power) != 0)
            {
                port.Status = (ushort)(HubPort.Power | (attached ? port.Connection : 0));
                port.Change |= HubPort.Connected;
                Host?.Ready(this, In);
            }
            return true;
        }
        return false;
    }

    internal override void BusReset()
    {
        base.BusReset();
        foreach (HubPort port in _ports)
        {
            (port.Status, port.Change) = (0, 0);
            port.Device?.BusReset();
        }
    }

    internal override void PowerOn()
    {
        base.PowerOn();
        foreach (HubPort port in _ports)
        {
            port.Attached = true;
            port.Device?.PowerOn();
        }
    }

    /// <summary>Section 11.12.4: a bit for each port that changed.</summary>
    private protected override UsbStatus Execute(UsbTransfer transfer)
    {
        int changed = 0;
        for (int i = 0; i < PortCount; i++)
            changed |= _ports[i].Change != 0 ? 2 << i : 0;
        return changed == 0 ? UsbStatus.Nak : transfer.Put([(byte)changed, (byte)(changed >> 8)]);
    }

    private protected override int ClassRequest(in UsbSetup setup, Span<byte> data)
    {
        int port = setup.Index & 0xff;
        switch (setup.Request, setup.Recipient)
        {
            case (UsbRequest.GET_DESCRIPTOR, UsbRequest.Device) when setup.Value >> 8 is HubDescriptor or 0:
                // Power for all ports at once, no over-current protection, 2 ms to power that is good, removable devices.
                return Answer([11, HubDescriptor, PortCount, 0x10, 0, 1, 0, 0, 0, 0xff, 0xff], data);
            case (UsbRequest.GET_STATUS, UsbRequest.Device):
                return Answer([0, 0, 0, 0], data);
            case (UsbRequest.SET_FEATURE or UsbRequest.CLEAR_FEATURE, UsbRequest.Device) when setup.Value <= 1:
                return 0;
            case (UsbRequest.GET_STATUS, UsbRequest.Other) when port is >= 1 and <= PortCount:
                BinaryPrimitives.WriteUInt16LittleEndian(data, _ports[port - 1].Status);
                BinaryPrimitives.WriteUInt16LittleEndian(data[2..], _ports[port - 1].Change);
                return 4;
            case (UsbRequest.SET_FEATURE, UsbRequest.Other) when port is >= 1 and <= PortCount:
                return SetFeature(_ports[port - 1], setup.Value);
            case (UsbRequest.CLEAR_FEATURE, UsbRequest.Other) when port is >= 1 and <= PortCount:
                return ClearFeature(_ports[port - 1], setup.Value);
            case (CLEAR_TT_BUFFER or RESET_TT or STOP_TT, UsbRequest.Other):
                return 0;
            default:
                return Refused;
        }
    }

    private int SetFeature(HubPort port, int feature)
    {
        switch (feature)
        {
            case PORT_POWER:
                if ((port.Status & HubPort.Power) != 0)
                    return 0;
                port.Status = HubPort.Power;
                if (port is { Device: not null, Attached: true })
                {
                    port.Status |= port.Connection;
                    port.Change |= HubPort.Connected;
                    Host?.Ready(this, In);
                }
                return 0;
            case PORT_RESET:
                if ((port.Status & HubPort.Connected) == 0)
                    return 0;
                port.Device!.BusReset();
                port.Status = (ushort)((port.Status | HubPort.Enabled) & ~HubPort.Suspended);
                port.Change |= HubPort.Reset;
                Host?.Ready(this, In);
                return 0;
            case PORT_SUSPEND:
                if ((port.Status & HubPort.Enabled) != 0)
                    port.Status |= HubPort.Suspended;
                return 0;
            case PORT_TEST or PORT_INDICATOR:
                return 0;
            default:
                return Refused;
        }
    }

    private int ClearFeature(HubPort port, int feature)
    {
        switch (feature)
        {
            case PORT_ENABLE:
                port.Status = (ushort)(port.Status & ~HubPort.Enabled);
                return 0;
            case PORT_SUSPEND:
                if ((port.Status & HubPort.Suspended) != 0)
                {
                    port.Status = (ushort)(port.Status & ~HubPort.Suspended);
                    port.Change |= HubPort.Suspended;
                    Host?.Ready(this, In);
                }
                return 0;
            case PORT_POWER:
                (port.Status, port.Change) = (0, 0);
                port.Device?.BusReset();
                return 0;
            case >= C_PORT_CONNECTION and <= C_PORT_RESET:
                port.Change = (ushort)(port.Change & ~(1 << feature - C_PORT_CONNECTION));
                return 0;
            case PORT_INDICATOR:
                return 0;
            default:
                return Refused;
        }
    }
}

/// <summary>A hub's port: wPortStatus and wPortChange (USB 2.0, section 11.24.2.7).</summary>
[Stateful("usb-hub-port")]
internal sealed partial class HubPort
{
    public const ushort Connected = 1, Enabled = 2, Suspended = 4, Reset = 16, Power = 1 << 8, LowSpeed = 1 << 9, HighSpeed = 1 << 10;

    [Saved(1)] private UsbDevice? _device;
    [Saved(2)] private ushort _status;
    [Saved(3)] private ushort _change;
    [Saved(4)] private bool _attached = true;

    public UsbDevice? Device { get => _device; set => _device = value; }

    public ushort Status { get => _status; set => _status = value; }
    public ushort Change { get => _change; set => _change = value; }

    /// <summary>The user has not pulled it out.</summary>
    public bool Attached { get => _attached; set => _attached = value; }

    /// <summary>The status bits of a connected device.</summary>
    public ushort Connection => (ushort)(Connected | Speed);

    private int Speed => _device?.Speed switch { UsbSpeed.Low => LowSpeed, UsbSpeed.High => HighSpeed, _ => 0 };

    private void Sync()
    {
        if (_device is null)
            _status &= Power;
    }
}
