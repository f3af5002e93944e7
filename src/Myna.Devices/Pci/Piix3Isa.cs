using System.Numerics;
using Myna.Hardware.Interrupts;
using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>
/// ISA bridge of a PIIX3 (Intel 82371SB datasheet, section 2.2), the function 00:01.0: it routes PIRQA to PIRQD (inputs 0 to 3) to the
/// ISA interrupts that PIRQRC says.
/// </summary>
[Stateful("piix3-isa")]
public sealed partial class Piix3Isa : PciDevice, IInterruptSink
{
    /// <summary>Its place on bus 0.</summary>
    public const int Slot = 1;

    /// <summary>Offsets of its registers.</summary>
    public const int PIRQRC = 0x60;

    private const int Pirqs = 4;
    private const byte IrqDisabled = 0x80;

    private readonly Lock _routeLock = new();

    [NotSaved("wiring")] private readonly InterruptLine[] _isa;
    [NotSaved("what the ISA interrupts were told, a bit each")] private uint _isaLevels;

    // Levels of the PIRQs, a bit each.
    [Saved(20)] private uint _pirqs;

    /// <param name="isa">Sixteen lines: inputs of its own to the ISA interrupts, which devices drive too.</param>
    public Piix3Isa(IEnumerable<InterruptLine> isa)
        : base("piix3-isa", new PciIdentity(0x8086, 0x7000, 0x060100, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _isa = [.. isa];
        // A bridge decodes its bus always.
        Config.Define(PciRegister.Command, 2, 7);
        Config.Define(PciRegister.HeaderType, 1, 0x80);
        for (int i = 0; i < Pirqs; i++)
            Config.Define(PIRQRC + i, 1, IrqDisabled, 0x8f);
        // Storage: ISA recovery timer, X-bus chip select, top of memory, miscellaneous status.
        Config.Define(0x4c, 4, 0x0003_004d, 0xffff_ffff);
        Config.Define(0x68, 4, 0x0200, 0xffff_ffff);
        Config.Define(0x80, 4, 0, 0xffff_ffff);
    }

    /// <summary>The PIRQ (0 for A) to which a device's pin (0 for INTA) is wired.</summary>
    public static int Pirq(int device, int pin) => device - 1 + pin & 3;

    /// <summary>PIRQA (0) to PIRQD (3).</summary>
    public void SetLevel(int input, bool level)
    {
        lock (_routeLock)
        {
            _pirqs = level ? _pirqs | 1u << input : _pirqs & ~(1u << input);
            Route();
        }
    }

    /// <inheritdoc/>
    public override void WriteConfig(int offset, int size, uint value)
    {
        base.WriteConfig(offset, size, value);
        if (offset < PIRQRC + Pirqs && offset + size > PIRQRC)
        {
            lock (_routeLock)
                Route();
        }
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        base.Reset();
        lock (_routeLock)
            Route();
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        lock (_routeLock)
            Route();
    }

    private void Route()
    {
        uint levels = 0;
        for (int i = 0; i < Pirqs; i++)
        {
            uint route = Config.Get(PIRQRC + i, 1);
            if ((_pirqs >> i & 1) != 0 && (route & IrqDisabled) == 0)
                levels |= 1u << (int)(route & 15);
        }
        for (uint changed = levels ^ _isaLevels; changed != 0; changed &= changed - 1)
        {
            int irq = BitOperations.TrailingZeroCount(changed);
            _isa[irq].Set((levels >> irq & 1) != 0);
        }
        _isaLevels = levels;
    }
}
