using Myna.Devices.Power;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>
/// LPC bridge of an ICH9 (Intel ICH9 datasheet, section 13.1), the function 00:1f.0: it maps the power management
/// registers at PMBASE and the chip set configuration registers at RCBA, and routes PIRQA to PIRQH (inputs 0 to 7) to the
/// I/O APIC's pins 16 to 23 and, as PIRQx_ROUT says, to an ISA interrupt.
/// LIMIT: the SCI is IRQ 9 whatever SCI_IRQ_SEL says; chip set configuration registers are storage.
/// </summary>
[Stateful("ich9-lpc")]
public sealed partial class Ich9Lpc : PciDevice, IInterruptSink
{
    /// <summary>Its place on bus 0.</summary>
    public const int Slot = 31, Function = 0;

    /// <summary>Offsets of its registers.</summary>
    public const int PMBASE = 0x40, ACPI_CNTL = 0x44, PIRQA_ROUT = 0x60, PIRQE_ROUT = 0x68, GEN_PMCON_1 = 0xa0, RCBA = 0xf0;

    /// <summary>Where firmware usually puts the power management registers.</summary>
    public const ushort DefaultPmBase = 0x600;

    private const int Pirqs = 8, RcrbSize = 0x4000;
    private const byte IrqDisabled = 0x80, AcpiEnable = 0x80;

    private readonly Lock _routeLock = new(), _mapLock = new();
    private readonly AddressSpace _ports, _memory;
    private readonly AcpiPm _pm;

    [NotSaved("wiring")] private readonly InterruptLine[] _gsi;
    [NotSaved("wiring")] private readonly InterruptLine[] _isa;
    [NotSaved("follows PMBASE")] private Region? _pmRegion;
    [NotSaved("follows RCBA")] private Region? _rcrbRegion;
    [NotSaved("what the ISA interrupts were told, a bit each")] private uint _isaLevels;

    // Levels of the PIRQs, a bit each.
    [Saved(20)] private uint _pirqs;
    [Saved(21)] private readonly byte[] _rcrb = new byte[RcrbSize];

    /// <param name="ports">I/O ports, and <paramref name="memory"/> physical memory, where its ranges appear.</param>
    /// <param name="gsi">Eight lines: pins 16 to 23 of the I/O APIC.</param>
    /// <param name="isa">Sixteen lines: inputs of its own to the ISA interrupts, which devices drive too.</param>
    /// <param name="pmBase">PMBASE out of reset with the registers enabled, as firmware would leave it; null for what the datasheet says.</param>
    public Ich9Lpc(AddressSpace ports, AddressSpace memory, AcpiPm pm, IEnumerable<InterruptLine> gsi, IEnumerable<InterruptLine> isa, ushort? pmBase = DefaultPmBase)
        : base("ich9-lpc", new PciIdentity(0x8086, 0x2918, 0x060100, RevisionId: 2, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _ports = ports;
        _memory = memory;
        _pm = pm;
        _gsi = [.. gsi];
        _isa = [.. isa];
        // A bridge decodes its bus always.
        Config.Define(PciRegister.Command, 2, 7);
        Config.Define(PciRegister.HeaderType, 1, 0x80);
        Config.Define(PMBASE, 4, (uint)(pmBase ?? 0) | 1, 0xff80);
        Config.Define(ACPI_CNTL, 1, pmBase is null ? 0u : AcpiEnable, 0x87);
        for (int i = 0; i < 4; i++)
        {
            Config.Define(PIRQA_ROUT + i, 1, IrqDisabled, 0x8f);
            Config.Define(PIRQE_ROUT + i, 1, IrqDisabled, 0x8f);
        }
        // Storage: serial IRQ control, LPC decode ranges and enables, power management configuration.
        Config.Define(0x64, 1, 0x10, 0xff);
        Config.Define(0x80, 4, 0, 0xffff_ffff);
        for (int offset = 0x84; offset < 0x94; offset += 4)
            Config.Define(offset, 4, 0, 0xffff_ffff);
        Config.Define(GEN_PMCON_1, 4, 0, 0xffff_ffff);
        Config.Define(GEN_PMCON_1 + 4, 1, 0, 0xff);
        Config.Define(0xdc, 1, 0, 0x03);
        Config.Define(RCBA, 4, 0, 0xffff_c001);
        Rcrb = new Block(this);
        MapAll();
    }

    /// <summary>Chip set configuration registers, mapped at RCBA.</summary>
    [field: NotSaved("wiring")]
    public Ports.IRegisterBlock Rcrb { get; }

    /// <summary>The PIRQ (0 for A) to which a device's pin (0 for INTA) is wired: devices 25 to 31 by pin to A to D, others spread over E to H.</summary>
    public static int Pirq(int device, int pin) => device >= 25 ? pin & 3 : 4 + (device + pin & 3);

    /// <summary>PIRQA (0) to PIRQH (7).</summary>
    public void SetLevel(int input, bool level)
    {
        lock (_routeLock)
        {
            _pirqs = level ? _pirqs | 1u << input : _pirqs & ~(1u << input);
            _gsi[input].Set(level);
            RouteIsa();
        }
    }

    /// <inheritdoc/>
    public override void WriteConfig(int offset, int size, uint value)
    {
        base.WriteConfig(offset, size, value);
        if (offset < ACPI_CNTL + 1 && offset + size > PMBASE || offset < RCBA + 4 && offset + size > RCBA)
            MapAll();
        if (offset < PIRQE_ROUT + 4 && offset + size > PIRQA_ROUT)
        {
            lock (_routeLock)
                RouteIsa();
        }
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        base.Reset();
        Array.Clear(_rcrb);
        MapAll();
        lock (_routeLock)
            RouteIsa();
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        MapAll();
        lock (_routeLock)
        {
            for (int i = 0; i < Pirqs; i++)
                _gsi[i].Set((_pirqs >> i & 1) != 0);
            RouteIsa();
        }
    }

    private void RouteIsa()
    {
        uint levels = 0;
        for (int i = 0; i < Pirqs; i++)
        {
            uint route = Config.Get((i < 4 ? PIRQA_ROUT : PIRQE_ROUT) + (i & 3), 1);
            if ((_pirqs >> i & 1) != 0 && (route & IrqDisabled) == 0)
                levels |= 1u << (int)(route & 15);
        }
        for (uint changed = levels ^ _isaLevels; changed != 0; changed &= changed - 1)
        {
            int irq = System.Numerics.BitOperations.TrailingZeroCount(changed);
            _isa[irq].Set((levels >> irq & 1) != 0);
        }
        _isaLevels = levels;
    }

    private void MapAll()
    {
        lock (_mapLock)
        {
            ulong? pm = (Config.Get(ACPI_CNTL, 1) & AcpiEnable) != 0 ? Config.Get(PMBASE, 4) & 0xff80 : null;
            Map(_ports, ref _pmRegion, pm is 0 ? null : pm, AcpiPm.RegisterSize, "acpi pm", _pm);
            uint rcba = Config.Get(RCBA, 4);
            Map(_memory, ref _rcrbRegion, (rcba & 1) != 0 ? rcba & 0xffff_c000ul : null, RcrbSize, "ich9 rcrb", Rcrb);
        }
    }

    private static void Map(AddressSpace space, ref Region? region, ulong? start, ulong size, string name, IMmio device)
    {
        if (region is { } old && old.Start != start)
        {
            space.Unmap(old);
            region = null;
        }
        if (region is null && start is { } address)
            region = space.TryMap(address, size, name, device);
    }

    private sealed class Block(Ich9Lpc lpc) : Ports.IRegisterBlock
    {
        public IStateful Owner => lpc;
        public ulong Size => RcrbSize;

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            lock (lpc._mapLock)
            {
                for (int i = 0; i < size; i++)
                    value |= (ulong)lpc._rcrb[(int)offset + i] << i * 8;
            }
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            lock (lpc._mapLock)
            {
                for (int i = 0; i < size; i++)
                    lpc._rcrb[(int)offset + i] = (byte)(value >> i * 8);
            }
            return true;
        }
    }
}
