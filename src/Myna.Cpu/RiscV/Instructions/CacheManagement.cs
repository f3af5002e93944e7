namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zicbom: cache-block management (unprivileged specification, chapter "CMO").</summary>
[Extension(Extension.Zicbom)]
public static class CacheManagement<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("000000000000 rs1 010 00000 0001111", "cbo.inval ({rs1})")]
    public static void CboInval(ref TOps ops, in Fields f)
        => ops.CacheBlock(CacheBlockOp.Inval, ops.X(f.Rs1));

    [Instruction("000000000001 rs1 010 00000 0001111", "cbo.clean ({rs1})")]
    public static void CboClean(ref TOps ops, in Fields f)
        => ops.CacheBlock(CacheBlockOp.Clean, ops.X(f.Rs1));

    [Instruction("000000000010 rs1 010 00000 0001111", "cbo.flush ({rs1})")]
    public static void CboFlush(ref TOps ops, in Fields f)
        => ops.CacheBlock(CacheBlockOp.Flush, ops.X(f.Rs1));
}
