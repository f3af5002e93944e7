using Myna.Devices.Power;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>
/// Power management function of a PIIX4 (Intel 82371AB datasheet, chapter 7), 00:01.3: it maps the power management registers
/// at PMBA. DEVIATION: the registers are an ICH9's (<see cref="AcpiPm"/>), which agree with a PIIX4's but for general-purpose events and
/// SMIs; the FADT says where those lie. LIMIT: no SMBus.
/// </summary>
[Stateful("piix4-pm")]
public sealed partial class Piix4Pm : PciDevice
{
    /// <summary>Its place on bus 0.</summary>
    public const int Slot = 1, Function = 3;

    /// <summary>Offsets of its registers.</summary>
    public const int PMBA = 0x40, DEVACTB = 0x58, PMREGMISC = 0x80;

    private readonly Lock _mapLock = new();
    private readonly AddressSpace _ports;
    private readonly AcpiPm _pm;

    [NotSaved("follows PMBA")] private Region? _region;

    /// <param name="pmBase">PMBA out of reset with the registers enabled, as firmware would leave it; null for what the datasheet says.</param>
    public Piix4Pm(AddressSpace ports, AcpiPm pm, ushort? pmBase)
        : base("piix4-pm", new PciIdentity(0x8086, 0x7113, 0x068000, RevisionId: 3, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _ports = ports;
        _pm = pm;
        Config.Define(PciRegister.InterruptPin, 1, 1);
        Config.Define(PMBA, 4, (uint)(pmBase ?? 0) | 1, 0xff80);
        // Counters, device resources and activity: storage.
        for (int offset = 0x44; offset < 0x80; offset += 4)
            Config.Define(offset, 4, 0, 0xffff_ffff);
        // APMC_EN: firmware takes it for SMM that has been set up, and leaves it alone.
        Config.Define(DEVACTB, 4, 1 << 25, 0xffff_ffff);
        Config.Define(PMREGMISC, 1, pmBase is null ? 0u : 1, 1);
        Config.Define(0x90, 4, 1, 0xfff0);
        Config.Define(0xd2, 1, 0, 0x0f);
        Map();
    }

    /// <inheritdoc/>
    public override void WriteConfig(int offset, int size, uint value)
    {
        base.WriteConfig(offset, size, value);
        if (offset < PMBA + 4 && offset + size > PMBA || offset <= PMREGMISC && offset + size > PMREGMISC)
            Map();
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        base.Reset();
        Map();
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        Map();
    }

    private void Map()
    {
        lock (_mapLock)
        {
            ulong address = (Config.Get(PMREGMISC, 1) & 1) != 0 ? Config.Get(PMBA, 4) & 0xff80 : 0;
            if (_region is { } old && old.Start != address)
            {
                _ports.Unmap(old);
                _region = null;
            }
            if (_region is null && address != 0)
                _region = _ports.TryMap(address, AcpiPm.RegisterSize, "acpi pm", _pm);
        }
    }
}
