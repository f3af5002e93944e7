namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zihintntl: non-temporal locality hints, in encodings of ADD and C.ADD with rd = x0.</summary>
[Extension(Extension.Zihintntl)]
public static class NonTemporal<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0000000 00010 00000 000 00000 0110011", "ntl.p1")]
    public static void NtlP1(ref TOps ops, in Fields f) { }

    [Instruction("100 1 00000 00010 10", "c.ntl.p1")]
    public static void CNtlP1(ref TOps ops, in Fields f) { }

    [Instruction("0000000 00011 00000 000 00000 0110011", "ntl.pall")]
    public static void NtlPall(ref TOps ops, in Fields f) { }

    [Instruction("100 1 00000 00011 10", "c.ntl.pall")]
    public static void CNtlPall(ref TOps ops, in Fields f) { }

    [Instruction("0000000 00100 00000 000 00000 0110011", "ntl.s1")]
    public static void NtlS1(ref TOps ops, in Fields f) { }

    [Instruction("100 1 00000 00100 10", "c.ntl.s1")]
    public static void CNtlS1(ref TOps ops, in Fields f) { }

    [Instruction("0000000 00101 00000 000 00000 0110011", "ntl.all")]
    public static void NtlAll(ref TOps ops, in Fields f) { }

    [Instruction("100 1 00000 00101 10", "c.ntl.all")]
    public static void CNtlAll(ref TOps ops, in Fields f) { }
}
