namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Instructions of the privileged specification (chapters "Machine-level ISA", "Supervisor-level ISA").</summary>
[Extension(Extension.Privileged)]
public static class Privileged<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("001100000010 00000 000 00000 1110011", "mret")]
    public static void Mret(ref TOps ops, in Fields f)
        => ops.Mret();

    [Instruction("000100000010 00000 000 00000 1110011", "sret")]
    public static void Sret(ref TOps ops, in Fields f)
        => ops.Sret();

    [Instruction("000100000101 00000 000 00000 1110011", "wfi")]
    public static void Wfi(ref TOps ops, in Fields f)
        => ops.Wfi();

    [Instruction("0001001 rs2 rs1 000 00000 1110011", "sfence.vma {rs1}, {rs2}")]
    public static void SfenceVma(ref TOps ops, in Fields f)
        => ops.SfenceVma(f.Rs1 == 0, ops.X(f.Rs1), f.Rs2 == 0, ops.X(f.Rs2));
}
