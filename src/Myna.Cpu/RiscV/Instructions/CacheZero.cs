namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zicboz: zeroing a cache block (unprivileged specification, chapter "CMO").</summary>
[Extension(Extension.Zicboz)]
public static class CacheZero<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("000000000100 rs1 010 00000 0001111", "cbo.zero ({rs1})")]
    public static void CboZero(ref TOps ops, in Fields f)
        => ops.CacheBlock(CacheBlockOp.Zero, ops.X(f.Rs1));
}
