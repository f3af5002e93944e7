namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Svinval: fine-grained invalidation of address translations (privileged specification, chapter "Svinval").</summary>
[Extension(Extension.Svinval)]
public static class FineInvalidation<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0001011 rs2 rs1 000 00000 1110011", "sinval.vma {rs1}, {rs2}")]
    public static void SinvalVma(ref TOps ops, in Fields f)
        => ops.SfenceVma(f.Rs1 == 0, ops.X(f.Rs1), f.Rs2 == 0, ops.X(f.Rs2));

    [Instruction("000110000000 00000 000 00000 1110011", "sfence.w.inval")]
    public static void SfenceWInval(ref TOps ops, in Fields f)
        => ops.SfenceInval();

    [Instruction("000110000001 00000 000 00000 1110011", "sfence.inval.ir")]
    public static void SfenceInvalIr(ref TOps ops, in Fields f)
        => ops.SfenceInval();
}
