using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Devices.Storage;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Usb;

/// <summary>
/// An xHCI host controller (xHCI 1.2) with four USB 2 and four USB 3 ports, as QEMU's qemu-xhci. The virtual CPU that rings a doorbell
/// carries transfers out; those of storage end on whichever thread its back end completes.
/// LIMIT: no streams, isochronous endpoints, virtualization or debug capability. DEVIATION: events interrupt at once, whatever IMOD says; a short TD has one event.
/// </summary>
[Stateful("xhci")]
public sealed partial class Xhci : PciDevice, IDrainable, IUsbHost
{
    /// <summary>Root hub ports of each kind; those of USB 3 come first, as OVMF expects of the names that its boot order has.</summary>
    public const int Usb2Ports = 4, Usb3Ports = 4;

    private const int RegisterBar = 0, MsixBar = 4, InterrupterCount = 8, SlotCount = 32, EndpointCount = 32, PortCount = Usb2Ports + Usb3Ports;

    // 64-bit addresses, no secondary stream ID; extended capabilities, in dwords.
    private const uint StructuralParameters1 = SlotCount | InterrupterCount << 8 | PortCount << 24, CapabilityParameters1 = 1 | 1 << 8 | XhciRegister.Capabilities / 4 << 16;
    private const ulong MicroframeNanoseconds = 125_000, RestNanoseconds = 1_000_000;

    // What a guest's access does at most before others have their turn.
    private const int MostTransfers = 2048;

    private readonly AddressSpace _memory;
    private readonly Clock _clock;
    private readonly ClockTimer _rest;
    private readonly LogChannel _log;
    private readonly WorkCount _work = new();

    [Saved(20)] private uint _usbcmd;
    [Saved(21)] private uint _usbsts = XhciRegister.HCH;
    [Saved(22)] private uint _dnctrl;
    [Saved(23)] private ulong _crcr;
    [Saved(24)] private ulong _dcbaap;
    [Saved(25)] private uint _config;
    [Saved(26)] private readonly XhciInterrupter[] _interrupters = new XhciInterrupter[InterrupterCount];
    [Saved(27)] private readonly XhciSlot[] _slots = new XhciSlot[SlotCount + 1];
    [Saved(28)] private readonly XhciEndpoint[] _endpoints = new XhciEndpoint[(SlotCount + 1) * EndpointCount];
    [Saved(29)] private readonly XhciPort[] _ports = new XhciPort[PortCount];

    // The command ring: where the next command is, and its cycle state.
    [Saved(30)] private ulong _commandDequeue;
    [Saved(31)] private byte _commandCycle;

    // Ports whose change event found the ring full.
    [Saved(32)] private uint _lostPortEvents;
    [Saved(33)] private ulong _start;

    /// <param name="memory">Where DMA goes: RAM only.</param>
    public Xhci(AddressSpace memory, Clock clock, LogChannel? log = null)
        : base("xhci", new PciIdentity(0x1b36, 0x000d, 0x0c0330, RevisionId: 1, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        const int SBRN = 0x60, FLADJ = 0x61;
        _memory = memory;
        _clock = clock;
        _log = log ?? LogChannel.None;
        _rest = clock.CreateTimer(Rested);
        for (int i = 0; i < PortCount; i++)
            _ports[i] = new XhciPort(i < Usb3Ports);
        AddBar(RegisterBar, XhciRegister.BarSize, is64Bit: true, prefetchable: false);
        AddIntx();
        // USB 3.0, 60000 bit times (section 5.2).
        Config.Define(SBRN, 1, 0x30);
        Config.Define(FLADJ, 1, 0x20, 0x3f);
        ClearRegisters();
    }

    /// <inheritdoc/>
    public Lock Lock { get; } = new();

    /// <summary>All devices, those behind hubs too.</summary>
    public IEnumerable<UsbDevice> Devices => _ports.Where(p => p.Device is not null).SelectMany(p => p.Device!.Children.Prepend(p.Device));

    /// <summary>Plugs a device into the next free port of its kind, before the machine starts.</summary>
    /// <returns>The number of the port among those of its kind, from 1 on; 0 when there is none.</returns>
    public int Add(UsbDevice device)
    {
        bool super = device.Speed == UsbSpeed.Super;
        for (int i = super ? 0 : Usb3Ports; i < (super ? Usb3Ports : PortCount); i++)
        {
            if (_ports[i].Device is not null)
                continue;
            _ports[i].Device = device;
            device.Attach(this);
            ClearRegisters();
            return super ? i + 1 : i - Usb3Ports + 1;
        }
        return 0;
    }

    /// <summary>Plugs a new device into the next free port of its kind while the machine runs. Any thread.</summary>
    /// <returns>False when there is none.</returns>
    public bool Plug(UsbDevice device)
    {
        lock (Lock)
        {
            bool super = device.Speed == UsbSpeed.Super;
            for (int i = super ? 0 : Usb3Ports; i < (super ? Usb3Ports : PortCount); i++)
            {
                if (_ports[i].Device is not null)
                    continue;
                (_ports[i].Device, _ports[i].Attached) = (device, false);
                device.Attach(this);
                return SetAttached(device, true);
            }
            return false;
        }
    }

    /// <summary>Pulls out a device that was plugged in, for good. Any thread. Returns when its work at back ends is done.</summary>
    public void Unplug(UsbDevice device)
    {
        lock (Lock)
        {
            _ = SetAttached(device, false);
            foreach (XhciPort port in _ports)
            {
                if (port.Device == device)
                    (port.Device, port.Attached) = (null, true);
            }
        }
        Drain();
    }

    /// <summary>Plugs a device that the machine has in again, or pulls it out. Any thread.</summary>
    /// <returns>Whether that changed anything.</returns>
    public bool SetAttached(UsbDevice device, bool attached)
    {
        lock (Lock)
        {
            for (int i = 0; i < PortCount; i++)
            {
                XhciPort port = _ports[i];
                if (port.Device is UsbHub hub && hub != device && hub.SetAttached(device, attached))
                    return true;
                if (port.Device != device || port.Attached == attached)
                    continue;
                port.Attached = attached;
                device.PowerOn();
                bool wasEnabled = (port.Portsc & XhciRegister.PED) != 0;
                port.Detect();
                Changed(i, XhciRegister.CSC | (wasEnabled && !attached && !port.IsSuper ? XhciRegister.PEC : 0));
                return true;
            }
            return false;
        }
    }

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (bar != RegisterBar)
            return base.ReadBar(bar, offset, size, out value);
        lock (Lock)
        {
            int at = (int)offset & ~3;
            value = size == 8 ? Read(at) | (ulong)Read(at + 4) << 32 : (ulong)Read(at) >> (int)(offset & 3) * 8 & (1ul << size * 8) - 1;
        }
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (bar != RegisterBar)
            return base.WriteBar(bar, offset, size, value);
        // Section 5: narrower writes are undefined.
        if (size < 4)
            return true;
        lock (Lock)
        {
            Write((int)offset & ~3, (uint)value);
            if (size == 8)
                Write(((int)offset & ~3) + 4, (uint)(value >> 32));
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        Drain();
        lock (Lock)
        {
            foreach (XhciPort port in _ports)
            {
                port.Attached = true;
                port.Device?.PowerOn();
            }
            ClearRegisters();
        }
        base.Reset();
    }

    /// <inheritdoc/>
    public void Drain() => _work.Drain();

    /// <inheritdoc/>
    protected override void AttachedTo(PciHost host)
    {
        if (host.HasMsi)
            AddMsix(MsixBar, InterrupterCount);
    }

    /// <inheritdoc/>
    protected override void CommandChanged()
    {
        lock (Lock)
            KickAll();
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        lock (Lock)
        {
            foreach (UsbDevice device in Devices)
                device.Slot = 0;
            for (int slot = 1; slot <= SlotCount; slot++)
            {
                if (_slots[slot].State is SlotState.Default or SlotState.Addressed or SlotState.Configured && DeviceOf(slot) is { } device)
                    device.Slot = slot;
            }
            DriveWire();
            KickAll();
        }
    }

    private bool Running => (_usbcmd & XhciRegister.RS) != 0 && (_usbsts & XhciRegister.HSE) == 0 && BusMaster;

    private uint Read(int offset) => offset switch
    {
        XhciRegister.CAPLENGTH => XhciRegister.Operational | 0x0100 << 16,
        XhciRegister.HCSPARAMS1 => StructuralParameters1,
        // One segment of an event ring, no scratchpad.
        XhciRegister.HCSPARAMS2 => 0x0f,
        XhciRegister.HCCPARAMS1 => CapabilityParameters1,
        XhciRegister.DBOFF => XhciRegister.Doorbells,
        XhciRegister.RTSOFF => XhciRegister.Runtime,
        >= XhciRegister.Operational and < XhciRegister.Ports => ReadOperational(offset - XhciRegister.Operational),
        >= XhciRegister.Ports and < XhciRegister.Ports + PortCount * 16 => (offset & 15) switch
        {
            0 => _ports[(offset - XhciRegister.Ports) / 16].Portsc,
            4 => _ports[(offset - XhciRegister.Ports) / 16].Portpmsc,
            _ => 0,
        },
        >= XhciRegister.Capabilities and < XhciRegister.Capabilities + 32 => ReadCapability((offset - XhciRegister.Capabilities) / 4),
        // Section 5.5.1: microframes since the controller runs.
        XhciRegister.Runtime => (_usbcmd & XhciRegister.RS) == 0 ? 0 : (uint)((_clock.Now - _start) / MicroframeNanoseconds) & 0x3fff,
        >= XhciRegister.Runtime + XhciRegister.Interrupters and < XhciRegister.Runtime + XhciRegister.Interrupters + InterrupterCount * XhciRegister.InterrupterSize
            => ReadInterrupter(offset - XhciRegister.Runtime - XhciRegister.Interrupters),
        _ => 0,
    };

    private uint ReadOperational(int offset) => offset switch
    {
        XhciRegister.USBCMD => _usbcmd,
        XhciRegister.USBSTS => _usbsts,
        XhciRegister.PAGESIZE => 1,
        XhciRegister.DNCTRL => _dnctrl,
        // The pointer reads as zero (section 5.4.5).
        XhciRegister.CRCR => (uint)_crcr & XhciRegister.CRR,
        XhciRegister.DCBAAP => (uint)_dcbaap,
        XhciRegister.DCBAAP + 4 => (uint)(_dcbaap >> 32),
        XhciRegister.CONFIG => _config,
        _ => 0,
    };

    /// <summary>Supported protocols (section 7.2): revision, name, ports, slot type; the second one is the last.</summary>
    private static uint ReadCapability(int index) => index switch
    {
        0 => 0x0200_0000 | 4 << 8 | 2,
        4 => 0x0300_0000 | 2,
        1 or 5 => 0x2042_5355, // "USB "
        2 => 1 + Usb3Ports | Usb2Ports << 8,
        6 => 1 | Usb3Ports << 8,
        _ => 0,
    };

    private void Write(int offset, uint value)
    {
        switch (offset)
        {
            case >= XhciRegister.Operational and < XhciRegister.Ports:
                WriteOperational(offset - XhciRegister.Operational, value);
                break;
            case >= XhciRegister.Ports and < XhciRegister.Ports + PortCount * 16:
                int port = (offset - XhciRegister.Ports) / 16;
                if ((offset & 15) == 0)
                    WritePort(port, value);
                else if ((offset & 15) == 4)
                    _ports[port].Portpmsc = value & (_ports[port].IsSuper ? 0x1_ffffu : 0x0001_fff8);
                break;
            case >= XhciRegister.Runtime + XhciRegister.Interrupters and < XhciRegister.Runtime + XhciRegister.Interrupters + InterrupterCount * XhciRegister.InterrupterSize:
                WriteInterrupter(offset - XhciRegister.Runtime - XhciRegister.Interrupters, value);
                break;
            case >= XhciRegister.Doorbells and <= XhciRegister.Doorbells + SlotCount * 4:
                Doorbell((offset - XhciRegister.Doorbells) / 4, (int)(value & 0xff));
                break;
        }
    }

    private void WriteOperational(int offset, uint value)
    {
        switch (offset)
        {
            case XhciRegister.USBCMD:
                WriteCommand(value);
                break;
            case XhciRegister.USBSTS:
                _usbsts &= ~(value & (XhciRegister.HSE | XhciRegister.EINT | XhciRegister.PCD | XhciRegister.SRE));
                DriveWire();
                break;
            case XhciRegister.DNCTRL:
                _dnctrl = value & 0xffff;
                break;
            case XhciRegister.CRCR:
                WriteRing(value);
                break;
            case XhciRegister.CRCR + 4:
                // The pointer cannot be changed while the ring runs.
                if ((_crcr & XhciRegister.CRR) != 0)
                    break;
                _crcr = (uint)_crcr | (ulong)value << 32;
                _commandDequeue = (uint)_commandDequeue | (ulong)value << 32;
                break;
            case XhciRegister.DCBAAP:
                _dcbaap = _dcbaap & ~0xffff_fffful | value & ~63u;
                break;
            case XhciRegister.DCBAAP + 4:
                _dcbaap = (uint)_dcbaap | (ulong)value << 32;
                break;
            case XhciRegister.CONFIG:
                _config = value & 0x3ff;
                break;
        }
    }

    private void WriteCommand(uint value)
    {
        if ((value & (XhciRegister.HCRST | XhciRegister.LHCRST)) != 0)
        {
            ClearRegisters();
            return;
        }
        uint before = _usbcmd;
        _usbcmd = value & XhciRegister.CommandKept;
        // Nothing has been saved that the guest could want back (section 4.23.2).
        if ((value & XhciRegister.CRS) != 0)
            _usbsts |= XhciRegister.SRE;
        if ((value & XhciRegister.CSS) != 0)
            _usbsts &= ~XhciRegister.SRE;
        if ((before & XhciRegister.RS) == 0 && (value & XhciRegister.RS) != 0)
        {
            _usbsts &= ~XhciRegister.HCH;
            _start = _clock.Now;
            KickAll();
        }
        else if ((before & XhciRegister.RS) != 0 && (value & XhciRegister.RS) == 0)
        {
            _usbsts |= XhciRegister.HCH;
            _crcr &= ~(ulong)XhciRegister.CRR;
        }
        DriveWire();
    }

    private void WriteRing(uint value)
    {
        if ((_crcr & XhciRegister.CRR) != 0)
        {
            if ((value & (XhciRegister.CS | XhciRegister.CA)) == 0)
                return;
            _crcr &= ~(ulong)XhciRegister.CRR;
            Post(0, new Trb(0, _commandDequeue, (uint)TrbCode.RingStopped << 24, TrbType.CommandCompletion << 10));
            return;
        }
        _crcr = _crcr & ~0xffff_fffful | value & ~63u | value & XhciRegister.RCS;
        _commandDequeue = _crcr & ~63ul;
        _commandCycle = (byte)(value & XhciRegister.RCS);
    }

    /// <summary>A controller reset (section 4.2): registers are as at power-on; a port's device starts anew.</summary>
    private void ClearRegisters()
    {
        _epoch++;
        _usbcmd = 0;
        _usbsts = XhciRegister.HCH;
        _dnctrl = 0;
        _crcr = _dcbaap = _commandDequeue = _start = 0;
        _config = _lostPortEvents = 0;
        _commandCycle = 0;
        Array.Clear(_interrupters);
        Array.Clear(_slots);
        Array.Clear(_endpoints);
        Array.Clear(_pending);
        Array.Clear(_busy);
        Array.Clear(_promised);
        Array.Clear(_waitsForRoom);
        for (int i = 0; i <= SlotCount; i++)
            _slots[i].State = SlotState.Disabled;
        foreach (XhciPort port in _ports)
        {
            port.Portsc = 0;
            port.Portpmsc = 0;
            port.Detect();
            if (port.Connected)
                port.Portsc |= XhciRegister.CSC;
            port.Device?.BusReset();
        }
        foreach (UsbDevice device in Devices)
            device.Slot = 0;
        DriveWire();
    }

    private bool ReadTrb(ulong address, out Trb trb)
    {
        Span<byte> bytes = stackalloc byte[Trb.Size];
        trb = default;
        if (!_memory.Read(address, bytes))
            return false;
        trb = new Trb(address, BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]));
        return true;
    }

    /// <summary>The TRB at a ring's dequeue pointer, past link TRBs.</summary>
    /// <param name="bad">The ring leaves RAM or turns in circles.</param>
    private bool Fetch(ref ulong address, ref byte cycle, out Trb trb, out bool bad)
    {
        for (int links = 0; links < Trb.MostLinks; links++)
        {
            bad = !ReadTrb(address, out trb);
            if (bad || (trb.Control & Trb.Cycle) != cycle)
                return false;
            // The guest writes the cycle bit last: what was read with it may be older.
            Volatile.ReadBarrier();
            _ = ReadTrb(address, out trb);
            if (trb.Type != TrbType.Link)
                return true;
            address = trb.Parameter & ~15ul;
            if (trb.Has(Trb.ToggleCycle))
                cycle ^= 1;
        }
        trb = default;
        bad = true;
        return false;
    }

    private uint Read32(ulong address)
    {
        Span<byte> bytes = stackalloc byte[4];
        return _memory.Read(address, bytes) ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;
    }

    private void Write32(ulong address, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        if (!_memory.Write(address, bytes))
            _log.Guest($"no RAM at a context, 0x{address:x}");
    }
}
