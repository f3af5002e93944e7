using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>
/// Host bridge of a 440FX: PCI and memory controller 82441FX (Intel 440FX PCIset datasheet, section 3.2), the function 00:00.0. It
/// switches ROM and RAM by its PAM registers. LIMIT: SMRAM is storage.
/// </summary>
[Stateful("i440fx")]
public sealed partial class I440Fx : PciDevice
{
    /// <summary>Offsets of its registers.</summary>
    public const int PAM0 = 0x59, SMRAM = 0x72;

    private readonly IPamControl? _pam;

    /// <param name="pam">Told about every segment at reset and after changes.</param>
    public I440Fx(IPamControl? pam)
        : base("i440fx", new PciIdentity(0x8086, 0x1237, 0x060000, RevisionId: 2, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _pam = pam;
        PamRegisters.Define(Config, PAM0);
        Config.Define(SMRAM, 1, 2, 0x78);
    }

    /// <inheritdoc/>
    public override void WriteConfig(int offset, int size, uint value)
    {
        base.WriteConfig(offset, size, value);
        if (offset < PAM0 + 7 && offset + size > PAM0)
            PamRegisters.Apply(Config, PAM0, _pam);
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        base.Reset();
        PamRegisters.Apply(Config, PAM0, _pam);
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        PamRegisters.Apply(Config, PAM0, _pam);
    }
}
