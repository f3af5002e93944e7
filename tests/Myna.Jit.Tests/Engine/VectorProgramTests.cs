using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>Random blocks of vector operations: generated code against the stubs, registers and MXCSR.</summary>
public class VectorProgramTests
{
    private const ulong CodeBase = 0x1000;
    private const int Vectors = 512;

    private readonly record struct Step(VectorOp Op, int Target, int A, int B, int C, byte Imm);

    [InlineArray(1024)]
    private struct Bytes1024 { private byte _first; }

    private sealed class Guest : GuestCpu
    {
        public readonly Ram Code = new("code", 4096);
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

        public Span<byte> Slots => MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref Block.Registers<Bytes1024>(), 1));
        public override uint BlockFlags => 0;
        public override int FetchMode => 0;

        public override FetchOutcome FillFetch(ulong pc)
        {
            Block.Tlb.Fill(0, pc, PageRights.Execute, Code, 0);
            return FetchOutcome.Ready;
        }

        public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value) => throw new NotSupportedException();
        public override bool SlowStore(ulong va, MemSize size, int mode, ulong value) => throw new NotSupportedException();

        public override bool InterpretOne()
        {
            Block.Context.ExitRequest = 1;
            return false;
        }

        public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
        {
            IrOps ops = new(builder);
            for (int i = (int)(pc - CodeBase) / 4; i < Program.Length && !builder.IsFull; i++, pc += 4)
            {
                builder.StartInstruction(pc, 4);
                Emit(ops, Program[i]);
                Assert.False(builder.IsUnsupported);
            }
            if (builder.IsFull)
            {
                builder.EndJump(pc);
                return;
            }
            builder.StartInstruction(pc, 4);
            builder.Interpret();
            builder.EndLeave(pc);
        }

        private static void Emit(IrOps ops, Step s)
        {
            Value v(int i) => ops.GetVector(Vectors + (i * 16));
            void set(Value value) => ops.SetVector(Vectors + (s.Target * 16), value);
            int integer = (s.Target & 15) * 8;
            switch (s.Op.Form())
            {
                case VectorForm.Unary or VectorForm.UnaryStore or VectorForm.ShiftImmediate: set(ops.Vector(s.Op, v(s.A), s.Imm)); break;
                case VectorForm.Binary or VectorForm.Legacy: set(ops.Vector(s.Op, v(s.A), v(s.B), s.Imm)); break;
                case VectorForm.Ternary or VectorForm.Blend or VectorForm.LegacyXmm0: set(ops.Vector(s.Op, v(s.A), v(s.B), v(s.C))); break;
                case VectorForm.FromInteger: set(ops.IntegerToVector(s.Op, ops.Get((s.B & 15) * 8))); break;
                case VectorForm.Insert: set(ops.Insert(s.Op, v(s.A), ops.Get((s.B & 15) * 8), s.Imm)); break;
                case VectorForm.Compare: ops.Set(integer, ops.VectorCompare(s.Op, v(s.A), v(s.B))); break;
                default: ops.Set(integer, ops.VectorToInteger(s.Op, v(s.A), s.Imm)); break;
            }
        }
    }

    private static void Model(Step s, Span<byte> slots, ref uint mxcsr)
    {
        Span<Vector128<byte>> vectors = MemoryMarshal.Cast<byte, Vector128<byte>>(slots[Vectors..]);
        Span<ulong> integers = MemoryMarshal.Cast<byte, ulong>(slots);
        VectorFrame f = new() { A = vectors[s.A], B = vectors[s.B], C = vectors[s.C], Integer = integers[s.B & 15], Mxcsr = mxcsr };
        HostVector.Execute(s.Op, s.Imm, ref f);
        mxcsr = f.Mxcsr;
        switch (s.Op.Form())
        {
            case VectorForm.Compare: integers[s.Target & 15] = f.Flags; break;
            case VectorForm.ToInteger or VectorForm.ToIntegerStore: integers[s.Target & 15] = f.Integer; break;
            default: vectors[s.Target] = f.Result; break;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Generated_code_and_stubs_agree(bool pinned)
    {
        if (!JitEngine.IsSupported)
            return;
        Guest guest = new(new JitOptions
        {
            VectorSlots = Vectors,
            PinnedSlots = pinned ? [0, 8, 16, 24, 32, 40, 48, 56, 64] : [],
            PinnedVectorSlots = pinned ? [Vectors, Vectors + 16, Vectors + 32, Vectors + 48] : [],
            CacheSize = 8 << 20,
        });
        VectorOp[] all = [.. Enum.GetValues<VectorOp>().Where(o => o.Form() != VectorForm.String)];
        Random random = new(7);
        byte[] slots = new byte[1024];
        for (int p = 0; p < 1000; p++)
        {
            int spread = random.Next(2) == 0 ? 6 : 32;
            Step[] program = new Step[p < 300 ? 1 : random.Next(1, 60)];
            for (int i = 0; i < program.Length; i++)
            {
                program[i] = new Step(all[random.Next(all.Length)], random.Next(spread), random.Next(spread), random.Next(spread), random.Next(spread), (byte)random.Next(256));
            }
            // Moderate numbers, so that results are not all NaN.
            random.NextBytes(slots);
            Span<float> floats = MemoryMarshal.Cast<byte, float>(slots.AsSpan(Vectors));
            for (int i = 0; i < floats.Length; i++)
            {
                if (random.Next(3) == 0)
                    floats[i] = (float)(random.NextDouble() * 100) - 50;
            }
            uint mxcsr = 0x1F80 | (uint)random.Next(4) << 13 | (random.Next(4) == 0 ? 0x8040u : 0);
            slots.CopyTo(guest.Slots);
            guest.Code.NoteWrite(0, 4096);
            guest.Program = program;
            guest.Block.Context.Pc = CodeBase;
            guest.Block.Context.ExitRequest = 0;
            guest.Block.Context.Mxcsr = mxcsr;
            guest.Jit.Run(guest);
            foreach (Step s in program)
                Model(s, slots, ref mxcsr);
            string text = string.Join('\n', program);
            Assert.True(guest.Slots.SequenceEqual(slots), $"program {p}: registers differ at {guest.Slots.CommonPrefixLength(slots)}\n{text}");
            Assert.Equal(mxcsr, guest.Block.Context.Mxcsr);
        }
    }
}
