using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>What x86 guests need of the IR: sized comparisons, 32-bit results, parts of registers, guards, locked operations.</summary>
public class NarrowFormsTests
{
    private const ulong CodeBase = 0x1000, DataBase = 0x40_0000;
    private const int Slots = 12, FieldOffset = 1000;

    private enum Kind { Arithmetic, Shift, Insert, Set, Select, Branch, Guard, Update, Exchange, Exchange16, Divide, Bits, Field, Flags, Count }

    private readonly record struct Step(Kind Kind, int D, int A, int B, int Form, MemSize Size, Cond Cond, ulong Imm, bool UseImm);

    private sealed class Guest : GuestCpu
    {
        public readonly Ram Code = new("code", 4096), Data = new("data", 2 * 4096);
        public readonly JitEngine Jit;
        public Step[] Program = [];

        public Guest(JitOptions options) : base(new CpuBlock(1))
        {
            CodePages pages = new();
            pages.Add(Code);
            pages.Add(Block.Tlb);
            Jit = new JitEngine(options, pages, 1);
            Jit.Add(this);
        }

        public Span<ulong> Registers => MemoryMarshal.CreateSpan(ref Unsafe.As<Words, ulong>(ref Block.Registers<Words>()), 128);
        public override uint BlockFlags => 0;
        public override int FetchMode => 0;
        public override ulong ComputeFlags() => (Registers[0] ^ Registers[1]) & 0xFFF;

        public override FetchOutcome FillFetch(ulong pc)
        {
            Block.Tlb.Fill(0, pc, PageRights.Execute, Code, 0);
            return FetchOutcome.Ready;
        }

        public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value)
        {
            Block.Tlb.Fill(0, DataBase, PageRights.Read | PageRights.Write, Data, 0);
            Span<byte> bytes = stackalloc byte[8];
            bytes.Clear();
            Data.Get(va - DataBase, 1 << (int)size).CopyTo(bytes);
            value = MemoryMarshal.Read<ulong>(bytes);
            return true;
        }

        public override bool SlowStore(ulong va, MemSize size, int mode, ulong value) => throw new InvalidOperationException();

        public override bool InterpretOne()
        {
            ref JitContext c = ref Block.Context;
            int index = (int)(c.Pc - CodeBase) / 4;
            c.Pc += 4;
            if (index >= Program.Length)
            {
                c.ExitRequest = 1;
                return false;
            }
            if (Execute(Program[index]))
                c.Pc += 8;
            // As a real guest's slow path would.
            Block.Tlb.Fill(0, DataBase, PageRights.Read | PageRights.Write, Data, 0);
            return c.Pc == CodeBase + (ulong)((index + 1) * 4);
        }

        private static ulong Low(ulong v, MemSize size) => size == MemSize.B8 ? v : v & ((1UL << (8 << (int)size)) - 1);
        private static long Signed(ulong v, MemSize size) => (long)(v << (64 - (8 << (int)size))) >> (64 - (8 << (int)size));

        private static bool Holds(Cond c, ulong a, ulong b, MemSize size) => c switch
        {
            Cond.Eq => Low(a, size) == Low(b, size),
            Cond.Ne => Low(a, size) != Low(b, size),
            Cond.LtS => Signed(a, size) < Signed(b, size),
            Cond.GeS => Signed(a, size) >= Signed(b, size),
            Cond.LtU => Low(a, size) < Low(b, size),
            _ => Low(a, size) >= Low(b, size),
        };

        // True: skips two instructions.
        private bool Execute(Step s)
        {
            Span<ulong> r = Registers;
            ulong a = r[s.A], b = s.UseImm ? s.Imm : r[s.B];
            ref ulong d = ref r[s.D];
            switch (s.Kind)
            {
                case Kind.Arithmetic:
                    d = (uint)(s.Form switch { 0 => a + b, 1 => a - b, 2 => a * b, 3 => a & b, 4 => a | b, 5 => a ^ b, 6 => ~a, 7 => 0 - a, _ => a + (b << 2) });
                    break;
                case Kind.Shift:
                    int n = (int)b & 31;
                    d = s.Form switch { 0 => (uint)a << n, 1 => (uint)a >> n, 2 => (uint)((int)a >> n), _ => BitOperations.RotateRight((uint)a, n) };
                    break;
                case Kind.Insert:
                    d = s.Form switch
                    {
                        0 => (a & ~0xFFUL) | (byte)b,
                        1 => (a & ~0xFFFFUL) | (ushort)b,
                        _ => (a & ~0xFF00UL) | (ulong)(byte)b << 8,
                    };
                    break;
                case Kind.Set: d = Holds(s.Cond, a, b, s.Size) ? 1UL : 0; break;
                case Kind.Select: d = Holds(s.Cond, a, b, s.Size) ? r[(s.A + 1) % Slots] : r[(s.B + 3) % Slots]; break;
                case Kind.Branch: return Holds(s.Cond, a, b, s.Size);
                case Kind.Guard: d = Holds(s.Cond, a, b, s.Size) ? a + 77 : b; break;
                case Kind.Update:
                    ulong old = Read(s, r, out int at);
                    ulong now = s.Form switch { 0 => old + b, 1 => b, 2 => old & b, 3 => old | b, _ => old ^ b };
                    Write(s, at, now);
                    if (s.Cond != Cond.Eq)
                        r[s.D] = old;
                    break;
                case Kind.Exchange:
                    old = Read(s, r, out at);
                    // Half of the time what is expected is there.
                    ulong expected = s.Form % 2 == 0 ? old : a;
                    if (old == Low(expected, s.Size))
                        Write(s, at, b);
                    r[s.D] = old;
                    break;
                case Kind.Exchange16:
                    at = (int)(r[s.A] & 0xFF0);
                    Span<ulong> pair = MemoryMarshal.Cast<byte, ulong>(Data.GetForWrite((ulong)at, 16));
                    (ulong low, ulong high) = (pair[0], pair[1]);
                    if (s.Form % 2 == 0 || (low == a && high == b))
                        (pair[0], pair[1]) = (r[s.D], r[(s.B + 3) % Slots]);
                    r[(s.A + 1) % Slots] = low;
                    r[s.D] = high;
                    break;
                case Kind.Divide:
                    Divide(s, a, b, ref d, ref r[(s.D + 1) % Slots]);
                    break;
                case Kind.Bits:
                    d = s.Form switch
                    {
                        0 or 1 or 2 => System.Runtime.Intrinsics.X86.Bmi2.X64.ParallelBitDeposit(a, b),
                        3 or 4 or 5 => System.Runtime.Intrinsics.X86.Bmi2.X64.ParallelBitExtract(a, b),
                        _ => s.Size switch
                        {
                            MemSize.B1 => System.Runtime.Intrinsics.X86.Sse42.Crc32((uint)a, (byte)b),
                            MemSize.B2 => System.Runtime.Intrinsics.X86.Sse42.Crc32((uint)a, (ushort)b),
                            MemSize.B4 => System.Runtime.Intrinsics.X86.Sse42.Crc32((uint)a, (uint)b),
                            _ => (uint)System.Runtime.Intrinsics.X86.Sse42.X64.Crc32((uint)a, b),
                        },
                    };
                    break;
                case Kind.Field: d = r[FieldOffset / 8]; break;
                case Kind.Flags: d = ComputeFlags(); break;
            }
            return false;
        }

        // A dividend of one width by a divisor that is not 0, nor -1 when signed; those are guarded against.
        private static void Divide(Step s, ulong a, ulong b, ref ulong quotient, ref ulong remainder)
        {
            bool signed = s.Form % 2 != 0, wide = s.Size == MemSize.B8;
            ulong q, r;
            if (Unfit(s, b))
                (q, r) = (1, 2);
            else if (wide)
                (q, r) = signed ? ((ulong)((long)a / (long)b), (ulong)((long)a % (long)b)) : (a / b, a % b);
            else
                (q, r) = signed ? ((uint)((int)a / (int)b), (uint)((int)a % (int)b)) : ((uint)a / (uint)b, (uint)a % (uint)b);
            quotient = q;
            remainder = r;
        }

        private static bool Unfit(Step s, ulong b) => s.Size == MemSize.B8 ? b + 1 < 2 : (uint)b + 1 < 2;

        private ulong Read(Step s, Span<ulong> r, out int at)
        {
            at = (int)(r[s.A] & 0xFFF);
            Span<byte> bytes = stackalloc byte[8];
            bytes.Clear();
            Data.Get((ulong)at, 1 << (int)s.Size).CopyTo(bytes);
            return MemoryMarshal.Read<ulong>(bytes);
        }

        private void Write(Step s, int at, ulong value)
            => MemoryMarshal.AsBytes(new Span<ulong>(ref value))[..(1 << (int)s.Size)].CopyTo(Data.GetForWrite((ulong)at, 1 << (int)s.Size));

        public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
        {
            IrOps ops = new(builder);
            for (int i = (int)(pc - CodeBase) / 4; i < Program.Length && !builder.IsFull && builder.Length < maxLength; i++, pc += 4)
            {
                builder.StartInstruction(pc, 4);
                Build(builder, ops, Program[i], pc);
                if (builder.IsUnsupported)
                {
                    builder.Rewind();
                    builder.Interpret();
                }
                if (builder.HasJumped)
                {
                    builder.EndJump(builder.JumpTarget);
                    return;
                }
            }
            if (builder.IsFull || builder.Length >= maxLength)
            {
                builder.EndJump(pc);
                return;
            }
            builder.StartInstruction(pc, 4);
            builder.Interpret();
            builder.EndLeave(pc);
        }

        private static void Build(IrBuilder builder, IrOps ops, Step s, ulong pc)
        {
            Value get(int slot) => ops.Get(slot * 8);
            Value a = get(s.A), b = s.UseImm ? ops.Const(s.Imm) : get(s.B);
            void set(Value v) => ops.Set(s.D * 8, v);
            switch (s.Kind)
            {
                case Kind.Arithmetic:
                    set(ops.ZeroExtend(s.Form switch
                    {
                        0 => ops.Add(a, b),
                        1 => ops.Sub(a, b),
                        2 => ops.Mul(a, b),
                        3 => ops.And(a, b),
                        4 => ops.Or(a, b),
                        5 => ops.Xor(a, b),
                        6 => ops.Not(a),
                        7 => ops.Sub(ops.Const(0), a),
                        _ => ops.Add(a, ops.Shl(b, ops.Const(2))),
                    }, MemSize.B4));
                    break;
                case Kind.Shift:
                    Value n = ops.And(b, ops.Const(31));
                    set(s.Form switch
                    {
                        0 => ops.ZeroExtend(ops.Shl(a, n), MemSize.B4),
                        1 => ops.ShrU(ops.ZeroExtend(a, MemSize.B4), n),
                        2 => ops.ZeroExtend(ops.ShrS(ops.SignExtend(a, MemSize.B4), n), MemSize.B4),
                        _ => ops.RotateRight32(a, n),
                    });
                    break;
                case Kind.Insert:
                    set(s.Form switch
                    {
                        0 => ops.Or(ops.And(a, ops.Const(~0xFFUL)), ops.ZeroExtend(b, MemSize.B1)),
                        1 => ops.Or(ops.And(a, ops.Const(~0xFFFFUL)), ops.ZeroExtend(b, MemSize.B2)),
                        _ => ops.Or(ops.And(a, ops.Const(~0xFF00UL)), ops.Shl(ops.ZeroExtend(b, MemSize.B1), ops.Const(8))),
                    });
                    break;
                case Kind.Set: set(ops.Set(s.Cond, s.Size, a, b)); break;
                case Kind.Select: set(ops.Select(s.Cond, s.Size, a, b, get((s.A + 1) % Slots), get((s.B + 3) % Slots))); break;
                case Kind.Branch: ops.Branch(s.Cond, s.Size, a, b, pc + 12); break;
                case Kind.Guard:
                    builder.Guard(s.Cond, s.Size, a, b);
                    set(b);
                    break;
                case Kind.Update:
                    AtomicOp op = s.Form switch { 0 => AtomicOp.Add, 1 => AtomicOp.Swap, 2 => AtomicOp.And, 3 => AtomicOp.Or, _ => AtomicOp.Xor };
                    ops.LockedUpdate(op, Address(ops, a), s.Size, b, out Value old);
                    if (s.Cond != Cond.Eq)
                        set(old);
                    break;
                case Kind.Exchange:
                    Value expected = a;
                    if (s.Form % 2 == 0)
                        ops.Load(Address(ops, a), s.Size, false, out expected);
                    ops.LockedCompareExchange(Address(ops, a), s.Size, expected, b, out old);
                    set(old);
                    break;
                case Kind.Exchange16:
                    Value at = ops.Add(ops.And(a, ops.Const(0xFF0)), ops.Const(DataBase));
                    Value low = a, high = b;
                    if (s.Form % 2 == 0)
                    {
                        ops.Load(at, MemSize.B8, false, out low);
                        ops.Load(ops.Add(at, ops.Const(8)), MemSize.B8, false, out high);
                    }
                    ops.LockedCompareExchange16(at, low, high, get(s.D), get((s.B + 3) % Slots), out low, out high);
                    ops.Set((s.A + 1) % Slots * 8, low);
                    set(high);
                    break;
                case Kind.Divide:
                    MemSize width = s.Size == MemSize.B8 ? MemSize.B8 : MemSize.B4;
                    builder.Guard(Cond.LtU, width, ops.Add(b, ops.Const(1)), ops.Const(2));
                    bool signed = s.Form % 2 != 0;
                    Value sign = signed ? ops.ShrS(ops.SignExtend(a, width), ops.Const(63)) : ops.Const(0);
                    ops.Divide(width, signed, sign, a, b, out Value q, out Value r);
                    set(q);
                    ops.Set((s.D + 1) % Slots * 8, r);
                    break;
                case Kind.Bits:
                    set(s.Form switch { 0 or 1 or 2 => ops.Deposit(a, b), 3 or 4 or 5 => ops.Extract(a, b), _ => ops.Crc32(a, b, s.Size) });
                    break;
                case Kind.Field: set(builder.Field(FieldOffset)); break;
                case Kind.Flags: set(builder.ComputeFlags()); break;
            }
        }

        private static Value Address(IrOps ops, Value a) => ops.Add(ops.And(a, ops.Const(0xFFF)), ops.Const(DataBase));
    }

    [InlineArray(1024)]
    private struct Words { private byte _first; }

    private static readonly ulong[] s_values = [0, 1, ulong.MaxValue, 0x7F, 0x80, 0xFF, 0x8000, 0xFFFF_FFFF, 0x8000_0000, 1UL << 63, 0xFFFF_FFFF_8000_0000, 31, 32];

    private static ulong AnyValue(Random random)
        => random.Next(2) == 0 ? s_values[random.Next(s_values.Length)] : (ulong)random.NextInt64(long.MinValue, long.MaxValue);

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void Generated_code_does_what_the_model_does(int seed, bool pinned)
    {
        if (!JitEngine.IsSupported)
            return;
        JitOptions options = new() { PinnedSlots = pinned ? [0, 8, 16, 24, 32, 40, 48, 56, 64] : [], CacheSize = 8 << 20 };
        Guest actual = new(options), expected = new(options);
        Random random = new(seed);
        byte[] data = new byte[8192];
        for (int p = 0; p < 3000; p++)
        {
            int spread = random.Next(2) == 0 ? 4 : Slots;
            Step[] program = new Step[random.Next(1, 40)];
            for (int i = 0; i < program.Length; i++)
            {
                program[i] = new Step((Kind)random.Next((int)Kind.Count), random.Next(spread), random.Next(spread), random.Next(spread), random.Next(9),
                    (MemSize)random.Next(4), (Cond)random.Next(6), AnyValue(random), random.Next(3) == 0);
            }
            random.NextBytes(data);
            foreach (Guest g in (Guest[])[expected, actual])
            {
                Random values = new(p);
                for (int i = 0; i < Slots; i++)
                    g.Registers[i] = AnyValue(values);
                g.Registers[FieldOffset / 8] = 0x1234_5678_9ABC_DEF0;
                g.Program = program;
                data.CopyTo(g.Data.GetForWrite(0, data.Length));
                g.Code.NoteWrite(0, 4096);
                g.Block.Context.Pc = CodeBase;
                g.Block.Context.ExitRequest = 0;
                if (g == actual)
                    g.Jit.Run(g);
                else
                    while (g.Block.Context.ExitRequest == 0)
                        g.InterpretOne();
            }
            string text = string.Join('\n', program.Select((s, i) => $"{i}: {s}"));
            for (int i = 0; i < Slots; i++)
                Assert.True(expected.Registers[i] == actual.Registers[i], $"program {p}: slot {i} {expected.Registers[i]:x} {actual.Registers[i]:x}\n{text}");
            Assert.True(expected.Data.Get(0, data.Length).SequenceEqual(actual.Data.Get(0, data.Length)), $"program {p}: memory differs\n{text}");
        }
        Assert.True(actual.Jit.Counters.FallbackExits > 0);
    }
}
