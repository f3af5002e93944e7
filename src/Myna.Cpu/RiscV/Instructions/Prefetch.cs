namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zicbop: prefetch hints, in the encodings of ORI with rd = x0. They never fault; nothing is to be done.</summary>
[Extension(Extension.Zicbop)]
public static class Prefetch<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("imm[11:5] 00000 rs1 110 00000 0010011", "prefetch.i {imm}({rs1})")]
    public static void PrefetchI(ref TOps ops, in Fields f) { }

    [Instruction("imm[11:5] 00001 rs1 110 00000 0010011", "prefetch.r {imm}({rs1})")]
    public static void PrefetchR(ref TOps ops, in Fields f) { }

    [Instruction("imm[11:5] 00011 rs1 110 00000 0010011", "prefetch.w {imm}({rs1})")]
    public static void PrefetchW(ref TOps ops, in Fields f) { }
}
