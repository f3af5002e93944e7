using Myna.Devices.Pci;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Ata;

/// <summary>
/// SATA controller of an ICH9 in AHCI mode (ICH9 datasheet, chapter 15; AHCI 1.3.1): six ports with 32 command slots each,
/// native command queuing, packet devices. The virtual CPU that issues a command starts it; whichever thread the back end
/// completes on ends it. LIMIT: no port multipliers, enclosure management or command completion coalescing.
/// </summary>
[Stateful("ahci")]
public sealed partial class Ahci : PciDevice, IDrainable
{
    /// <summary>Its place on bus 0 of a Q35.</summary>
    public const int Slot = 31, Function = 2;

    /// <summary>Ports of the controller.</summary>
    public const int Ports = 6;

    private const int Abar = 5, AbarSize = 0x1000, MAP = 0x90;

    // 64-bit addresses, NCQ, 3 Gb/s, AHCI only, 32 slots, six ports; version 1.3.
    private const uint Capabilities = 1u << 31 | 1 << 30 | 2 << 20 | 1 << 18 | 31 << 8 | Ports - 1, Version = 0x0001_0300;

    private readonly WorkCount _work = new();

    [Saved(20)] private uint _ghc = HbaRegister.AE;
    [Saved(21)] private uint _is;
    [Saved(22)] private readonly AhciPort[] _ports;

    /// <param name="memory">Where DMA goes: RAM only.</param>
    /// <param name="devices">The drive at each port, at most six; null for an empty one.</param>
    public Ahci(AddressSpace memory, IReadOnlyList<AtaDevice?> devices, LogChannel? log = null)
        : base("ahci", new PciIdentity(0x8086, 0x2922, 0x010601, RevisionId: 2, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        Memory = memory;
        Log = log ?? LogChannel.None;
        _ports = new AhciPort[Ports];
        for (int i = 0; i < Ports; i++)
            _ports[i] = new AhciPort(this, i, i < devices.Count ? devices[i] : null);
        AddBar(Abar, AbarSize, is64Bit: false, prefetchable: false);
        AddIntx();
        // MAP: AHCI mode.
        Config.Define(MAP, 2, 0x40);
    }

    internal Lock Lock { get; } = new();
    internal AddressSpace Memory { get; }
    internal LogChannel Log { get; }

    /// <summary>Exchanges the disc of the CD drive at a port. Any thread.</summary>
    /// <param name="medium">The new disc, or null to take it out.</param>
    /// <param name="force">Whatever the guest says about it.</param>
    /// <returns>False when there is no such drive, or the guest has locked its tray.</returns>
    public bool ExchangeMedium(int port, IBlockBackend? medium, bool force)
    {
        lock (Lock)
            return (uint)port < Ports && _ports[port].Device is AtapiCdrom cdrom && cdrom.Unit.Exchange(medium, force);
    }

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (size == 8)
        {
            _ = ReadBar(bar, offset, 4, out ulong low);
            _ = ReadBar(bar, offset + 4, 4, out ulong high);
            value = low | high << 32;
            return true;
        }
        lock (Lock)
            value = (ulong)Read((int)offset & ~3) >> (int)(offset & 3) * 8 & (1ul << size * 8) - 1;
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (size == 8)
        {
            _ = WriteBar(bar, offset, 4, (uint)value);
            return WriteBar(bar, offset + 4, 4, value >> 32);
        }
        int shift = (int)(offset & 3) * 8;
        uint mask = (uint)((1ul << size * 8) - 1 << shift);
        lock (Lock)
            Write((int)offset & ~3, (uint)value << shift & mask, mask);
        return true;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        Drain();
        lock (Lock)
        {
            _ghc = HbaRegister.AE;
            _is = 0;
            foreach (AhciPort port in _ports)
                port.PowerOn();
        }
        base.Reset();
    }

    /// <inheritdoc/>
    public void Drain() => _work.Drain();

    /// <summary>A command is at its back end.</summary>
    internal void Started() => _work.Begin();

    /// <summary>A command has come back from its back end, and all that follows from it has been done.</summary>
    internal void Finished() => _work.End();

    /// <summary>A port's interrupts changed. With the lock held.</summary>
    internal void UpdateInterrupt()
    {
        uint before = _is;
        for (int i = 0; i < Ports; i++)
        {
            if (_ports[i].Pending)
                _is |= 1u << i;
        }
        bool enabled = (_ghc & HbaRegister.IE) != 0;
        SetIntx(enabled && _is != 0);
        // One message for every port that begins to ask (section 10.6.2.1), also when it goes on right after its bit was cleared.
        if (enabled && (_is & ~before) != 0 && MsiEnabled)
            SendMsi();
    }

    /// <inheritdoc/>
    protected override void AttachedTo(PciHost host)
    {
        if (host.HasMsi)
            AddMsi();
    }

    /// <inheritdoc/>
    protected override void CommandChanged()
    {
        lock (Lock)
        {
            foreach (AhciPort port in _ports)
                port.Run();
        }
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        lock (Lock)
        {
            UpdateInterrupt();
            foreach (AhciPort port in _ports)
                port.Run();
        }
    }

    private uint Read(int offset)
    {
        if (offset >= HbaRegister.Ports)
        {
            int port = (offset - HbaRegister.Ports) / HbaRegister.PortSize;
            return port < Ports ? _ports[port].Read(offset & HbaRegister.PortSize - 1) : 0;
        }
        return offset switch
        {
            HbaRegister.CAP => Capabilities,
            HbaRegister.GHC => _ghc,
            HbaRegister.IS => _is,
            HbaRegister.PI => (1 << Ports) - 1,
            HbaRegister.VS => Version,
            _ => 0,
        };
    }

    private void Write(int offset, uint value, uint mask)
    {
        if (offset >= HbaRegister.Ports)
        {
            int port = (offset - HbaRegister.Ports) / HbaRegister.PortSize;
            if (port < Ports)
                _ports[port].Write(offset & HbaRegister.PortSize - 1, value, mask);
            return;
        }
        switch (offset)
        {
            case HbaRegister.GHC when (value & HbaRegister.HR) != 0:
                // Section 10.4.3: done at once.
                _ghc = HbaRegister.AE;
                _is = 0;
                foreach (AhciPort port in _ports)
                    port.HostReset();
                break;
            case HbaRegister.GHC:
                uint old = _ghc;
                _ghc = HbaRegister.AE | ((_ghc & ~mask | value) & HbaRegister.IE);
                if ((_ghc & ~old & HbaRegister.IE) != 0 && _is != 0 && MsiEnabled)
                    SendMsi();
                break;
            case HbaRegister.IS:
                _is &= ~value;
                break;
            default:
                return;
        }
        UpdateInterrupt();
    }
}
