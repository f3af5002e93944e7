using Myna.Devices.Pci;
using Myna.Hardware.State;

namespace Myna.Devices.Ata;

/// <summary>
/// IDE controller of a PIIX3 (Intel 82371SB datasheet, section 2.3), the function 00:01.1: two channels at the addresses that
/// PCs always had, and bus-master registers at BMIBA. DEVIATION: the channels decode their ports whatever IDETIM says, and timings are storage.
/// </summary>
[Stateful("piix3-ide")]
public sealed partial class Piix3Ide : PciDevice, IDrainable
{
    /// <summary>Its place on bus 0.</summary>
    public const int Slot = 1, Function = 1;

    private const int BMIBA = 4, IDETIM = 0x40;

    [Saved(20)] private readonly IdeChannel _primary;
    [Saved(21)] private readonly IdeChannel _secondary;

    public Piix3Ide(IdeChannel primary, IdeChannel secondary)
        : base("piix3-ide", new PciIdentity(0x8086, 0x7010, 0x010180, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        (_primary, _secondary) = (primary, secondary);
        primary.Owner = secondary.Owner = this;
        AddIoBar(BMIBA, 16);
        Config.Define(IDETIM, 4, 0x8000_8000, 0xffff_ffff);
    }

    /// <summary>The channel, 0 or 1.</summary>
    public IdeChannel Channel(int index) => index == 0 ? _primary : _secondary;

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        value = 0;
        for (int i = 0; i < size; i++)
            value |= (ulong)Channel((int)(offset >> 3) & 1).ReadBusMaster((int)offset + i & 7) << i * 8;
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        for (int i = 0; i < size; i++)
            Channel((int)(offset >> 3) & 1).WriteBusMaster((int)offset + i & 7, (byte)(value >> i * 8));
        return true;
    }

    /// <inheritdoc/>
    public void Drain()
    {
        _primary.Drain();
        _secondary.Drain();
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        _primary.Reset();
        _secondary.Reset();
        base.Reset();
        CommandChanged();
    }

    /// <inheritdoc/>
    protected override void CommandChanged()
    {
        _primary.BusMaster = BusMaster;
        _secondary.BusMaster = BusMaster;
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        CommandChanged();
    }
}
