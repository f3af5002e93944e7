using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>What a board does when the memory controller changes who answers between C0000h and FFFFFh.</summary>
public interface IPamControl
{
    /// <summary>A segment's attributes.</summary>
    /// <param name="start">First address; segments are 16 KiB, the one at F0000h is 64 KiB.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="read">Reads come from RAM rather than ROM.</param>
    /// <param name="write">Writes go to RAM rather than nowhere.</param>
    void SetPam(ulong start, ulong size, bool read, bool write);
}

/// <summary>
/// Host bridge of a Q35: memory controller hub 82P35/82Q35 (Intel 3 Series Express Chipset datasheet, section 5.1), the
/// function 00:00.0. It maps the ECAM where PCIEXBAR says, and switches ROM and RAM by its PAM registers.
/// LIMIT: SMRAM is storage.
/// </summary>
[Stateful("q35-mch")]
public sealed partial class Q35Mch : PciDevice
{
    /// <summary>Offsets of its registers.</summary>
    public const int PCIEXBAR = 0x60, PAM0 = 0x90, SMRAM = 0x9d;

    private const ulong PciexBarEnable = 1;

    private readonly Lock _mapLock = new();
    private readonly AddressSpace _memory;
    private readonly IPamControl? _pam;

    [NotSaved("the host, told by it")] private PciHost? _ecam;
    [NotSaved("follows PCIEXBAR")] private Region? _region;

    /// <param name="memory">Where the ECAM appears.</param>
    /// <param name="ecam">Its address out of reset, a multiple of 256 MiB, or null when firmware enables it.</param>
    /// <param name="pam">Told about every segment at reset and after changes.</param>
    public Q35Mch(AddressSpace memory, ulong? ecam, IPamControl? pam)
        : base("q35-mch", new PciIdentity(0x8086, 0x29c0, 0x060000, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _memory = memory;
        _pam = pam;
        // Bits 35:26, length in 2:1, enable in 0.
        Config.Define(PCIEXBAR, 4, (uint)(ecam ?? 0xb000_0000) | (ecam is null ? 0u : 1), 0xfc00_0007);
        Config.Define(PCIEXBAR + 4, 4, (uint)((ecam ?? 0) >> 32), 0xf);
        PamRegisters.Define(Config, PAM0);
        // C_BASE_SEG is A0000h always.
        Config.Define(SMRAM, 1, 2, 0x78);
    }

    /// <summary>Where the ECAM is; null while it is switched off.</summary>
    public ulong? Ecam => _region?.Start;

    /// <inheritdoc/>
    public override void WriteConfig(int offset, int size, uint value)
    {
        base.WriteConfig(offset, size, value);
        if (offset < PCIEXBAR + 8 && offset + size > PCIEXBAR)
            MapEcam();
        if (offset < PAM0 + 7 && offset + size > PAM0)
            SetSegments();
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        base.Reset();
        MapEcam();
        SetSegments();
    }

    /// <inheritdoc/>
    protected override void AttachedTo(PciHost host)
    {
        _ecam = host;
        MapEcam();
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        MapEcam();
        SetSegments();
    }

    private void MapEcam()
    {
        lock (_mapLock)
        {
            ulong bar = Config.Get(PCIEXBAR, 4) | (ulong)Config.Get(PCIEXBAR + 4, 4) << 32;
            ulong size = (bar >> 1 & 3) switch { 1 => 128ul << 20, 2 => 64ul << 20, _ => 256ul << 20 };
            ulong start = bar & 0xf_fc00_0000 & ~(size - 1);
            bool enabled = (bar & PciexBarEnable) != 0 && (bar >> 1 & 3) != 3;
            if (_region is { } region && (!enabled || region.Start != start || region.Size != size))
            {
                _memory.Unmap(region);
                _region = null;
            }
            if (_region is null && enabled && _ecam is { } ecam)
                _region = _memory.TryMap(start, size, "pci ecam", ecam);
        }
    }

    private void SetSegments() => PamRegisters.Apply(Config, PAM0, _pam);
}
