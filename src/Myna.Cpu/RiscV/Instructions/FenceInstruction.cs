namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zifencei: FENCE.I makes earlier stores visible to instruction fetch on this hart. Its reserved fields are ignored.</summary>
[Extension(Extension.Zifencei)]
public static class FenceInstruction<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("imm[11:0] rs1 001 rd 0001111", "fence.i")]
    public static void FenceI(ref TOps ops, in Fields f)
        => ops.FenceI();
}
