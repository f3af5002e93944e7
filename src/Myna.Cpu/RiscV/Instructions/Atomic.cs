using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>A: load-reserved, store-conditional and atomic memory operations (unprivileged specification, chapter "A"). Every one is sequentially consistent, whatever aq and rl say.</summary>
[Extension(Extension.A)]
public static class Atomic<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("00010 aq rl 00000 rs1 010 rd 0101111", "lr.w{aqrl} {rd}, ({rs1})")]
    public static void LrW(ref TOps ops, in Fields f)
    {
        if (ops.LoadReserved(ops.X(f.Rs1), MemSize.B4, out T value))
            ops.SetX(f.Rd, value);
    }

    [Instruction("00011 aq rl rs2 rs1 010 rd 0101111", "sc.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void ScW(ref TOps ops, in Fields f)
    {
        if (ops.StoreConditional(ops.X(f.Rs1), MemSize.B4, ops.X(f.Rs2), out T failed))
            ops.SetX(f.Rd, failed);
    }

    [Instruction("00001 aq rl rs2 rs1 010 rd 0101111", "amoswap.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoswapW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.Swap, MemSize.B4);

    [Instruction("00000 aq rl rs2 rs1 010 rd 0101111", "amoadd.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoaddW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.Add, MemSize.B4);

    [Instruction("00100 aq rl rs2 rs1 010 rd 0101111", "amoxor.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoxorW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.Xor, MemSize.B4);

    [Instruction("01100 aq rl rs2 rs1 010 rd 0101111", "amoand.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoandW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.And, MemSize.B4);

    [Instruction("01000 aq rl rs2 rs1 010 rd 0101111", "amoor.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoorW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.Or, MemSize.B4);

    [Instruction("10000 aq rl rs2 rs1 010 rd 0101111", "amomin.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmominW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.MinS, MemSize.B4);

    [Instruction("10100 aq rl rs2 rs1 010 rd 0101111", "amomax.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmomaxW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.MaxS, MemSize.B4);

    [Instruction("11000 aq rl rs2 rs1 010 rd 0101111", "amominu.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmominuW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.MinU, MemSize.B4);

    [Instruction("11100 aq rl rs2 rs1 010 rd 0101111", "amomaxu.w{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmomaxuW(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.MaxU, MemSize.B4);

    [Instruction("00010 aq rl 00000 rs1 011 rd 0101111", "lr.d{aqrl} {rd}, ({rs1})")]
    public static void LrD(ref TOps ops, in Fields f)
    {
        if (ops.LoadReserved(ops.X(f.Rs1), MemSize.B8, out T value))
            ops.SetX(f.Rd, value);
    }

    [Instruction("00011 aq rl rs2 rs1 011 rd 0101111", "sc.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void ScD(ref TOps ops, in Fields f)
    {
        if (ops.StoreConditional(ops.X(f.Rs1), MemSize.B8, ops.X(f.Rs2), out T failed))
            ops.SetX(f.Rd, failed);
    }

    [Instruction("00001 aq rl rs2 rs1 011 rd 0101111", "amoswap.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoswapD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.Swap, MemSize.B8);

    [Instruction("00000 aq rl rs2 rs1 011 rd 0101111", "amoadd.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoaddD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.Add, MemSize.B8);

    [Instruction("00100 aq rl rs2 rs1 011 rd 0101111", "amoxor.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoxorD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.Xor, MemSize.B8);

    [Instruction("01100 aq rl rs2 rs1 011 rd 0101111", "amoand.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoandD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.And, MemSize.B8);

    [Instruction("01000 aq rl rs2 rs1 011 rd 0101111", "amoor.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmoorD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.Or, MemSize.B8);

    [Instruction("10000 aq rl rs2 rs1 011 rd 0101111", "amomin.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmominD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.MinS, MemSize.B8);

    [Instruction("10100 aq rl rs2 rs1 011 rd 0101111", "amomax.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmomaxD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.MaxS, MemSize.B8);

    [Instruction("11000 aq rl rs2 rs1 011 rd 0101111", "amominu.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmominuD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.MinU, MemSize.B8);

    [Instruction("11100 aq rl rs2 rs1 011 rd 0101111", "amomaxu.d{aqrl} {rd}, {rs2}, ({rs1})")]
    public static void AmomaxuD(ref TOps ops, in Fields f)
        => Amo(ref ops, in f, AtomicOp.MaxU, MemSize.B8);

    private static void Amo(ref TOps ops, in Fields f, AtomicOp op, MemSize size)
    {
        if (ops.Atomic(op, ops.X(f.Rs1), size, ops.X(f.Rs2), out T old))
            ops.SetX(f.Rd, old);
    }
}
