namespace Myna.Devices.Pci;

/// <summary>
/// The seven programmable attribute map registers that Intel's host bridges have for C0000h to FFFFFh (440FX datasheet, section 3.2.13; 3 Series datasheet, section 5.1.11).
/// </summary>
internal static class PamRegisters
{
    private const int Segments = 13;

    /// <param name="pam0">Offset of PAM0.</param>
    public static void Define(PciConfigSpace config, int pam0)
    {
        config.Define(pam0, 1, 0, 0x30);
        for (int i = 1; i < 7; i++)
            config.Define(pam0 + i, 1, 0, 0x33);
    }

    /// <summary>Tells the board what every segment is.</summary>
    public static void Apply(PciConfigSpace config, int pam0, IPamControl? pam)
    {
        if (pam is null)
            return;
        for (int segment = 0; segment < Segments; segment++)
        {
            // F0000h is in the high half of PAM0, the others follow from PAM1 on.
            bool last = segment == Segments - 1;
            int bits = last ? (int)config.Get(pam0, 1) >> 4 : (int)config.Get(pam0 + 1 + segment / 2, 1) >> (segment & 1) * 4;
            pam.SetPam(0xc0000 + (ulong)segment * 0x4000, last ? 0x10000ul : 0x4000, (bits & 1) != 0, (bits & 2) != 0);
        }
    }
}
