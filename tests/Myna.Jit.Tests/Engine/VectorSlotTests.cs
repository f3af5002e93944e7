using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Myna.Hardware.Memory;
using Myna.Jit.Engine;
using Myna.Jit.Ir;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>Slots of 16 bytes beside slots of 8: moves, loads and stores of random programs against a plain model.</summary>
public class VectorSlotTests
{
    private const ulong CodeBase = 0x1000, DataBase = 0x40_0000;
    private const int Vectors = 512, Pages = 3;

    private enum Kind { Move, MoveInteger, Load, Store, LoadInteger, Interpret }

    private readonly record struct Step(Kind Kind, int A, int B, int Offset, int Bytes);

    /// <summary>Data page 1 is never cached; the last access of each page may straddle.</summary>
    private sealed class Guest : GuestCpu
    {
        public readonly Ram Code = new("code", 4096), Data = new("data", Pages * 4096);
        public readonly JitEngine Jit;
        public Step[] Program = [];
        public int Interpreted;

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

        private void Fill(ulong va)
        {
            if ((va - DataBase) >> 12 != 1)
                Block.Tlb.Fill(0, va, PageRights.Read | PageRights.Write, Data, va - DataBase);
        }

        public override bool SlowLoad(ulong va, MemSize size, int mode, out ulong value)
        {
            Fill(va);
            Span<byte> bytes = stackalloc byte[8];
            bytes.Clear();
            Data.Get(va - DataBase, 1 << (int)size).CopyTo(bytes);
            value = MemoryMarshal.Read<ulong>(bytes);
            return true;
        }

        public override bool SlowStore(ulong va, MemSize size, int mode, ulong value)
        {
            Fill(va);
            MemoryMarshal.AsBytes(new Span<ulong>(ref value))[..(1 << (int)size)].CopyTo(Data.GetForWrite(va - DataBase, 1 << (int)size));
            return true;
        }

        public override bool InterpretOne()
        {
            int index = (int)(Block.Context.Pc - CodeBase) / 4;
            Block.Context.Pc += 4;
            if (index >= Program.Length)
            {
                Block.Context.ExitRequest = 1;
                return false;
            }
            Interpreted++;
            return true;
        }

        public override void Translate(IrBuilder builder, ulong pc, uint flags, ReadOnlySpan<byte> page, int maxLength)
        {
            IrOps ops = new(builder);
            for (int i = (int)(pc - CodeBase) / 4; i < Program.Length && !builder.IsFull; i++, pc += 4)
            {
                builder.StartInstruction(pc, 4);
                Step s = Program[i];
                Value address = ops.Const(DataBase + (ulong)s.Offset);
                switch (s.Kind)
                {
                    case Kind.Move: ops.SetVector(Vectors + (s.A * 16), ops.GetVector(Vectors + (s.B * 16))); break;
                    case Kind.MoveInteger: ops.Set(s.A * 8, ops.Get(s.B * 8)); break;
                    case Kind.Load:
                        ops.LoadVector(address, s.Bytes, out Value v);
                        ops.SetVector(Vectors + (s.A * 16), v);
                        break;
                    case Kind.Store: ops.StoreVector(address, s.Bytes, ops.GetVector(Vectors + (s.B * 16))); break;
                    case Kind.LoadInteger:
                        ops.Load(address, MemSize.B8, false, out v);
                        ops.Set(s.A * 8, v);
                        break;
                    case Kind.Interpret: builder.Interpret(); break;
                }
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
    }

    [InlineArray(1024)]
    private struct Bytes1024 { private byte _first; }

    private static void Model(Step s, Span<byte> slots, Span<byte> data)
    {
        switch (s.Kind)
        {
            case Kind.Move: slots.Slice(Vectors + (s.B * 16), 16).CopyTo(slots[(Vectors + (s.A * 16))..]); break;
            case Kind.MoveInteger: slots.Slice(s.B * 8, 8).CopyTo(slots[(s.A * 8)..]); break;
            case Kind.Load:
                slots.Slice(Vectors + (s.A * 16), 16).Clear();
                data.Slice(s.Offset, s.Bytes).CopyTo(slots[(Vectors + (s.A * 16))..]);
                break;
            case Kind.Store: slots.Slice(Vectors + (s.B * 16), s.Bytes).CopyTo(data[s.Offset..]); break;
            case Kind.LoadInteger: data.Slice(s.Offset, 8).CopyTo(slots[(s.A * 8)..]); break;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Vectors_move_load_and_store_as_a_whole(bool pinned)
    {
        if (!JitEngine.IsSupported)
            return;
        Guest guest = new(new JitOptions
        {
            VectorSlots = Vectors,
            PinnedSlots = pinned ? [0, 8, 16, 24] : [],
            PinnedVectorSlots = pinned ? [Vectors, Vectors + 16, Vectors + 32, Vectors + 256] : [],
            CacheSize = 8 << 20,
        });
        Random random = new(5);
        byte[] slots = new byte[1024], data = new byte[Pages * 4096];
        for (int p = 0; p < 300; p++)
        {
            int spread = random.Next(2) == 0 ? 5 : 32;
            Step[] program = new Step[random.Next(1, 80)];
            for (int i = 0; i < program.Length; i++)
            {
                Kind kind = (Kind)random.Next(random.Next(8) == 0 ? 6 : 5);
                bool integer = kind is Kind.MoveInteger or Kind.LoadInteger;
                int slot() => random.Next(integer ? Math.Min(spread, 27) : spread);
                program[i] = new Step(kind, slot(), slot(), random.Next(3) == 0 ? 4096 * random.Next(1, 3) - random.Next(17) : random.Next(data.Length - 16), 4 << random.Next(3));
            }
            random.NextBytes(slots);
            random.NextBytes(data);
            slots.CopyTo(guest.Slots);
            data.CopyTo(guest.Data.GetForWrite(0, data.Length));
            guest.Code.NoteWrite(0, 4096);
            guest.Program = program;
            guest.Block.Context.Pc = CodeBase;
            guest.Block.Context.ExitRequest = 0;
            guest.Jit.Run(guest);
            foreach (Step s in program)
                Model(s, slots, data);
            string text = string.Join('\n', program);
            Assert.True(guest.Slots.SequenceEqual(slots), $"program {p}: registers differ at {guest.Slots.CommonPrefixLength(slots)}\n{text}");
            Assert.True(guest.Data.Get(0, data.Length).SequenceEqual(data), $"program {p}: memory differs\n{text}");
        }
    }
}
