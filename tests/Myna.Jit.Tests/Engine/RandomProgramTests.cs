using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>Random programs, run by generated code and by the plain evaluator: registers, memory, faults agree.</summary>
public class RandomProgramTests
{
    internal sealed class RandomInstruction(int op, int a, int b, int c, int d, ulong imm, int variant, int here) : ITestInstruction
    {
        public override string ToString() => $"{here}: op {op} d{d} a{a} b{b} c{c} imm {imm:x} v{variant}";

        // Integer slots 0-31, floating-point slots 32-63.
        public void Run<TOps, T>(ref TOps ops) where TOps : struct, IOps<T>, allows ref struct where T : struct
        {
            MemSize size = (MemSize)(variant & 3);
            FloatSize fs = (FloatSize)(variant >> 2 & 1);
            Cond cond = (Cond)(variant % 6);
            switch (op)
            {
                case 0: ops.Set(d * 8, ops.Add(ops.Get(a * 8), ops.Get(b * 8))); break;
                case 1: ops.Set(d * 8, ops.Sub(ops.Get(a * 8), ops.Get(b * 8))); break;
                case 2: ops.Set(d * 8, ops.Add(ops.Get(a * 8), ops.Const((ulong)(short)imm))); break;
                case 3: ops.Set(d * 8, ops.And(ops.Get(a * 8), ops.Get(b * 8))); break;
                case 4: ops.Set(d * 8, ops.Or(ops.Get(a * 8), ops.Const(imm))); break;
                case 5: ops.Set(d * 8, ops.Xor(ops.Get(a * 8), ops.Get(b * 8))); break;
                case 6: ops.Set(d * 8, ops.Mul(ops.Get(a * 8), ops.Get(b * 8))); break;
                case 7:
                {
                    T p = ops.Get(a * 8), q = ops.Get(b * 8);
                    ops.Set(d * 8, (variant % 7) switch
                    {
                        0 => ops.MulHighS(p, q),
                        1 => ops.MulHighU(p, q),
                        2 => ops.MulHighSU(p, q),
                        3 => ops.DivS(p, q),
                        4 => ops.DivU(p, q),
                        5 => ops.RemS(p, q),
                        _ => ops.RemU(p, q),
                    });
                    break;
                }
                case 8: ops.Set(d * 8, ops.Not(ops.Get(a * 8))); break;
                case 9: ops.Set(d * 8, ops.Shl(ops.Get(a * 8), variant < 32 ? ops.Const(imm & 63) : ops.Get(b * 8))); break;
                case 10: ops.Set(d * 8, ops.ShrU(ops.Get(a * 8), variant < 32 ? ops.Const(imm & 63) : ops.And(ops.Get(b * 8), ops.Const(63)))); break;
                case 11: ops.Set(d * 8, ops.ShrS(ops.SignExtend(ops.Get(a * 8), MemSize.B4), variant < 32 ? ops.Const(imm & 31) : ops.And(ops.Get(b * 8), ops.Const(31)))); break;
                case 12: ops.Set(d * 8, ops.RotateRight(ops.Get(a * 8), variant < 32 ? ops.Const(imm & 63) : ops.Get(b * 8))); break;
                case 13: ops.Set(d * 8, ops.SignExtend(ops.RotateRight32(ops.Get(a * 8), variant < 32 ? ops.Const(imm & 31) : ops.Get(b * 8)), MemSize.B4)); break;
                case 14: ops.Set(d * 8, ops.SignExtend(ops.Add(ops.Get(a * 8), ops.Get(b * 8)), size)); break;
                case 15: ops.Set(d * 8, ops.ZeroExtend(ops.Sub(ops.Get(a * 8), ops.Const((ulong)(short)imm)), size)); break;
                case 16: ops.Set(d * 8, ops.Set(cond, ops.Get(a * 8), variant < 32 ? ops.Const((ulong)(short)imm) : ops.Get(b * 8))); break;
                case 17: ops.Set(d * 8, ops.Select(cond, ops.Get(a * 8), ops.Get(b * 8), ops.Get(c * 8), variant < 32 ? ops.Const(0) : ops.Get(d * 8))); break;
                case 18:
                {
                    T p = ops.Get(a * 8);
                    ops.Set(d * 8, (variant % 5) switch
                    {
                        0 => ops.CountLeadingZeros(p),
                        1 => ops.CountTrailingZeros(p),
                        2 => ops.PopCount(p),
                        3 => ops.ByteSwap(p),
                        _ => ops.OrCombineBytes(p),
                    });
                    break;
                }
                case 19: ops.Set(d * 8, variant < 32 ? ops.ClMul(ops.Get(a * 8), ops.Get(b * 8)) : ops.ClMulHigh(ops.Get(a * 8), ops.Get(b * 8))); break;
                case 20: ops.Set(d * 8, ops.Const(imm)); break;
                case 21: ops.Set(d * 8, ops.Get(a * 8)); break;
                case 22 or 23:
                    if (!ops.Load(Address<TOps, T>(ref ops), size, variant >= 32, out T loaded))
                        return;
                    ops.Set(d * 8, loaded);
                    break;
                case 24 or 25:
                    ops.Store(Address<TOps, T>(ref ops), size, variant < 8 ? ops.Const((ulong)(int)imm) : ops.Get(b * 8));
                    break;
                case 26:
                    if (!ops.Atomic((AtomicOp)(variant % 9), Aligned<TOps, T>(ref ops), (MemSize)(2 + (variant >> 5)), ops.Get(b * 8), out T old))
                        return;
                    ops.Set(d * 8, old);
                    break;
                case 27:
                    // Forward only, so that every program ends.
                    ops.Branch(cond, ops.Get(a * 8), variant < 32 ? ops.Const(0) : ops.Get(b * 8), ops.Pc + 4 + (4 * (imm & 7)));
                    break;
                case 28:
                    if ((variant & 3) == 0)
                        ops.Jump(ops.Pc + 4 + (4 * (imm & 3)));
                    else if ((variant & 3) == 1)
                        ops.JumpIndirect(ops.Add(ops.Const(ops.Pc + 4), ops.Shl(ops.And(ops.Get(a * 8), ops.Const(1)), ops.Const(2))));
                    break;
                case 29:
                    if (!ops.LoadReserved(Aligned<TOps, T>(ref ops), (MemSize)(2 + (variant >> 5)), out T reserved))
                        return;
                    ops.Set(d * 8, reserved);
                    break;
                case 30:
                    if (!ops.StoreConditional(Aligned<TOps, T>(ref ops), (MemSize)(2 + (variant >> 5)), ops.Get(b * 8), out T failed))
                        return;
                    ops.Set(d * 8, failed);
                    break;
                case 31: ops.SetFloat(256 + (d * 8), ops.BitsToFloat(ops.Get(a * 8), FloatSize.F64)); break;
                case 32: ops.Set(d * 8, ops.FloatToBits(F<TOps, T>(ref ops, a, fs), fs)); break;
                case 33 or 34:
                {
                    T p = F<TOps, T>(ref ops, a, fs), q = F<TOps, T>(ref ops, b, fs);
                    SetF<TOps, T>(ref ops, fs, (imm % 11) switch
                    {
                        0 => ops.FAdd(fs, p, q, Rounding.Dynamic),
                        1 => ops.FSub(fs, p, q, Rounding.Dynamic),
                        2 => ops.FMul(fs, p, q, Rounding.Dynamic),
                        3 => ops.FDiv(fs, p, q, Rounding.Dynamic),
                        4 => ops.FSqrt(fs, p, Rounding.Dynamic),
                        5 => ops.FMulAdd(fs, p, q, F<TOps, T>(ref ops, c, fs), (variant & 16) != 0, (variant & 32) != 0, Rounding.Dynamic),
                        6 => ops.FMin(fs, p, q),
                        7 => ops.FMax(fs, p, q),
                        8 => ops.FSignCopy(fs, p, q),
                        9 => ops.FSignNot(fs, p, q),
                        _ => ops.FSignXor(fs, p, q),
                    });
                    break;
                }
                case 35: ops.Set(d * 8, ops.FCompare(fs, (FloatCompare)(imm % 5), F<TOps, T>(ref ops, a, fs), F<TOps, T>(ref ops, b, fs))); break;
                case 36: ops.Set(d * 8, ops.FToInt(fs, (IntFormat)(imm & 3), F<TOps, T>(ref ops, a, fs), (Rounding)(variant % 6))); break;
                case 37: SetF<TOps, T>(ref ops, fs, ops.FFromInt(fs, (IntFormat)(imm & 3), ops.Get(a * 8), Rounding.Dynamic)); break;
                case 38: SetF<TOps, T>(ref ops, (FloatSize)(imm & 1), ops.FConvert(fs, (FloatSize)(imm & 1), F<TOps, T>(ref ops, a, fs), Rounding.Dynamic)); break;
                case 39:
                    if (!ops.LoadFloat(Address<TOps, T>(ref ops), fs, out T f))
                        return;
                    SetF<TOps, T>(ref ops, fs, f);
                    break;
                case 40: ops.StoreFloat(Address<TOps, T>(ref ops), fs, ops.GetFloat(256 + (b * 8))); break;
                case 41: ops.SetFloat(256 + (d * 8), ops.GetFloat(256 + (a * 8))); break;
                case 42: ops.Fence(true); break;
                case 44:
                {
                    // Rotations as shifts, of 64 and of 32 bits; sometimes the counts or the sources do not match.
                    T p = ops.Get(a * 8), q = (variant & 7) == 0 ? ops.Get(b * 8) : p;
                    ulong n = imm % 31 + 1, m = (variant & 24) == 0 ? (imm >> 8) % 31 + 1 : 32 - n;
                    ops.Set(d * 8, variant < 32
                        ? ops.Or(ops.SignExtend(ops.Shl(p, ops.Const(n)), MemSize.B4), ops.SignExtend(ops.ShrU(ops.ZeroExtend(q, MemSize.B4), ops.Const(m)), MemSize.B4))
                        : ops.Or(ops.ShrU(q, ops.Const(m + 32)), ops.Shl(p, ops.Const(n))));
                    break;
                }
                case 45: ops.Set(d * 8, ops.Add(ops.Shl(ops.Get(a * 8), ops.Const(imm & 3)), ops.Get(b * 8))); break;
                case 46:
                {
                    ulong up = (variant & 3) switch { 0 => 32, 1 => 48, 2 => 56, _ => imm & 63 };
                    T shifted = ops.Shl(ops.Get(a * 8), ops.Const(up)), down = ops.Const((variant & 4) == 0 ? up : imm >> 8 & 63);
                    ops.Set(d * 8, variant < 32 ? ops.ShrU(shifted, down) : ops.ShrS(shifted, down));
                    break;
                }
                case 47: ops.Set(d * 8, ops.SignExtend(ops.ShrU(ops.ZeroExtend(ops.Get(a * 8), MemSize.B4), ops.And(ops.Get(b * 8), ops.Const(31))), MemSize.B4)); break;
                case 43: ops.Set(d * 8, ops.FClass(fs, ops.Get(a * 8))); break;
            }
        }

        private T F<TOps, T>(ref TOps ops, int register, FloatSize fs) where TOps : struct, IOps<T>, allows ref struct where T : struct
        {
            T v = ops.GetFloat(256 + (register * 8));
            return fs == FloatSize.F32 ? ops.UnboxF32(v) : v;
        }

        private void SetF<TOps, T>(ref TOps ops, FloatSize fs, T v) where TOps : struct, IOps<T>, allows ref struct where T : struct
            => ops.SetFloat(256 + (d * 8), fs == FloatSize.F32 ? ops.BoxF32(v) : v);

        // Mostly inside the data RAM, whatever the register holds; sometimes outside.
        private T Address<TOps, T>(ref TOps ops) where TOps : struct, IOps<T>, allows ref struct where T : struct
        {
            T masked = ops.And(ops.Get(a * 8), ops.Const((variant & 31) == 31 ? 0xFFFFul : 0x6FFF));
            return ops.Add(ops.Add(masked, ops.Const(TestGuest.DataBase)), ops.Const(imm & 0x7FF));
        }

        private T Aligned<TOps, T>(ref TOps ops) where TOps : struct, IOps<T>, allows ref struct where T : struct
            => ops.And(ops.Add(ops.And(ops.Get(a * 8), ops.Const(0x4FF8)), ops.Const(TestGuest.DataBase)), ops.Const(~7ul));
    }

    private static readonly ulong[] Interesting =
    [
        0, 1, 2, ulong.MaxValue, 1UL << 63, (1UL << 63) - 1, 1UL << 31, (1UL << 31) - 1, 0xFFFF_FFFF, 1UL << 32, 0xFFFF_FFFF_8000_0000,
        0x3FF0_0000_0000_0000, 0xBFF0_0000_0000_0000, 0x7FF0_0000_0000_0000, 0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0001,
        0xFFFF_FFFF_3F80_0000, 0xFFFF_FFFF_7FC0_0000, 0xFFFF_FFFF_7F80_0001, 0xFFFF_FFFF_8000_0000, 0xFFFF_FFFF_FF80_0000,
        0x41E0_0000_0000_0000, 0xC1E0_0000_0020_0000, 0x43E0_0000_0000_0000, 0x4005_BF0A_8B14_5769,
    ];

    private static ulong RandomValue(Random random) => random.Next(4) switch
    {
        0 => Interesting[random.Next(Interesting.Length)],
        1 => (ulong)random.Next(0x8000),
        2 => 0xFFFF_FFFF_0000_0000 | BitConverter.SingleToUInt32Bits((float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-40, 70)))),
        _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
    };

    internal static ITestInstruction[] Make(Random random, int length)
    {
        ITestInstruction[] program = new ITestInstruction[length];
        int spread = random.Next(3) switch { 0 => 6, 1 => 14, _ => 32 };
        for (int i = 0; i < length; i++)
        {
            program[i] = new RandomInstruction(random.Next(48), random.Next(spread), random.Next(spread), random.Next(spread),
                random.Next(spread), random.Next(3) == 0 ? (ulong)random.NextInt64() : RandomValue(random), random.Next(64), i);
        }
        return program;
    }

    public static readonly JitOptions Pinned = new()
    {
        PinnedSlots = [16, 64, 72, 80, 88, 96, 104, 112, 120],
        PinnedFloatSlots = [256 + 80, 256 + 88, 256 + 96, 256 + 104, 256 + 112, 256 + 120, 256 + 64, 256 + 72],
        CacheSize = 16 << 20,
    };

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public void Generated_code_does_what_the_evaluator_does(int seed, bool pinned)
    {
        if (!JitEngine.IsSupported)
            return;
        Check(seed, int.Parse(Environment.GetEnvironmentVariable("MYNA_JIT_PROGRAMS") ?? "1500"), pinned ? Pinned : new JitOptions { CacheSize = 16 << 20 });
    }

    [Fact]
    public void Counted_blocks_do_the_same_and_count_exactly()
    {
        if (!JitEngine.IsSupported)
            return;
        Check(4, 500, new JitOptions { PinnedSlots = Pinned.PinnedSlots, CountInstructions = true, CacheSize = 16 << 20 });
    }

    private static void Check(int seed, int programs, JitOptions options)
    {
        TestGuest expected = new(new JitOptions { CacheSize = 4 << 20 }), actual = new(options);
        Random master = new(seed);
        for (int p = 0; p < programs; p++)
        {
            int programSeed = master.Next();
            if (Differs(programSeed, int.MaxValue, expected, actual) is not { } difference)
                continue;
            // The shortest prefix that still differs.
            int length = 1;
            while (Differs(programSeed, length, expected, actual) is null)
                length++;
            difference = Differs(programSeed, length, expected, actual) ?? difference;
            Random random = new(programSeed);
            ITestInstruction[] program = Make(random, random.Next(5, 60));
            Assert.Fail($"program {programSeed}, {length} instructions: {difference}\n" + string.Join('\n', program.Take(length)));
        }
    }

    private static string? Differs(int seed, int limit, TestGuest expected, TestGuest actual)
    {
        string? result = null;
        Random random = new(seed);
        ITestInstruction[] program = Make(random, random.Next(5, 60));
        if (program.Length > limit)
            program = program[..limit];
        ulong[] start = new ulong[TestGuest.Slots];
        for (int i = 0; i < start.Length; i++)
            start[i] = RandomValue(random);
        byte[] memory = new byte[TestGuest.DataPages * 4096];
        random.NextBytes(memory);
        // Blocks of the program before must go.
        actual.Code.NoteWrite(0, actual.Code.Size);
        foreach (TestGuest g in (TestGuest[])[expected, actual])
        {
            g.Program = program;
            g.Faults = 0;
            for (int i = 0; i < start.Length; i++)
                g.Slot(i * 8) = start[i];
            memory.CopyTo(g.Data.GetForWrite(0, memory.Length));
            g.Block.Context.ReservedSize = 0;
            g.Block.Context.InstructionCount = 0;
            g.Run(g == actual);
        }
        if (expected.Block.Context.Pc != actual.Block.Context.Pc)
            result += $" pc {expected.Block.Context.Pc:x} {actual.Block.Context.Pc:x}";
        if (expected.Faults != actual.Faults)
            result += $" faults {expected.Faults} {actual.Faults}";
        for (int i = 0; i < TestGuest.Slots; i++)
        {
            if (expected.Slot(i * 8) != actual.Slot(i * 8))
                result += $" slot{i} {expected.Slot(i * 8):x} {actual.Slot(i * 8):x}";
        }
        ReadOnlySpan<byte> x = expected.Data.Get(0, memory.Length), y = actual.Data.Get(0, memory.Length);
        int common = x.CommonPrefixLength(y);
        if (common != memory.Length)
            result += $" memory at {common:x}";
        if (actual.Jit.Options.CountInstructions && expected.Faults == 0 && expected.Block.Context.InstructionCount != actual.Block.Context.InstructionCount)
            result += $" count {expected.Block.Context.InstructionCount} {actual.Block.Context.InstructionCount}";
        return result;
    }
}
