namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zawrs: waiting for the reservation set to be lost (unprivileged specification, chapter "Zawrs").</summary>
[Extension(Extension.Zawrs)]
public static class WaitOnReservation<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("000000001101 00000 000 00000 1110011", "wrs.nto")]
    public static void WrsNto(ref TOps ops, in Fields f)
        => ops.WaitOnReservation(shortTimeout: false);

    [Instruction("000000011101 00000 000 00000 1110011", "wrs.sto")]
    public static void WrsSto(ref TOps ops, in Fields f)
        => ops.WaitOnReservation(shortTimeout: true);
}
