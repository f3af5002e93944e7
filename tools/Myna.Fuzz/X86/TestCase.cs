using System.Buffers.Binary;
using Iced.Intel;

namespace Myna.Fuzz.X86;

/// <summary>What an item's label is good for.</summary>
internal enum LabelUse { None, Branch, Immediate, Displacement }

/// <summary>An instruction of a case. Labels are items, so that others can be left out.</summary>
internal sealed record Item(Instruction Instruction)
{
    /// <summary>Index of the item that <see cref="Use"/> means; the count of items for the end.</summary>
    public int Label { get; init; } = -1;
    public LabelUse Use { get; init; }

    /// <summary>Bytes behind the label.</summary>
    public int Distance { get; init; }

    /// <summary>It stays as long as the one before, and nothing jumps to it.</summary>
    public bool Joined { get; init; }

    /// <summary>It hides what the ones before have left that is not the same on all processors.</summary>
    public bool Hides { get; init; }
}

/// <summary>A program, its memory and the registers it starts with.</summary>
internal sealed class TestCase
{
    public required ulong Seed { get; init; }

    /// <summary>32-bit code in compatibility mode.</summary>
    public required bool Compatibility { get; init; }
    public required ulong[] Gpr { get; init; }
    public required ulong Rflags { get; init; }
    public required ulong FsBase { get; init; }
    public required ulong GsBase { get; init; }

    /// <summary>Standard form, all three components.</summary>
    public required byte[] Xsave { get; init; }

    /// <summary>Code, data and stack.</summary>
    public required byte[] Memory { get; init; }
    public required ulong Start { get; init; }
    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>Addresses of the items, and of the end.</summary>
    public ulong[] Addresses { get; private set; } = [];

    public int Bitness => Compatibility ? 32 : 64;

    public TestCase With(IReadOnlyList<Item> items) => new()
    {
        Seed = Seed, Compatibility = Compatibility, Gpr = Gpr, Rflags = Rflags, FsBase = FsBase, GsBase = GsBase, Xsave = Xsave,
        Memory = Memory, Start = Start, Items = items,
    };

    /// <summary>Writes the code into <see cref="Memory"/>; INT3 is all around it.</summary>
    public TestCase Assemble()
    {
        Memory.AsSpan(0, Layout.CodeSize).Fill(0xCC);
        Addresses = new ulong[Items.Count + 1];
        var sink = new Sink();
        var encoder = Encoder.Create(Bitness, sink);
        for (int pass = 0; pass < 2; pass++)
        {
            ulong at = Start;
            for (int i = 0; i < Items.Count; i++)
            {
                Addresses[i] = at;
                Item item = Items[i];
                if (item.Instruction.Code == Code.INVALID)
                    continue;
                Instruction instruction = item.Instruction;
                Resolve(ref instruction, item, pass == 0 ? at : Addresses[item.Label < 0 ? 0 : item.Label] + (ulong)item.Distance);
                sink.Length = 0;
                if (!encoder.TryEncode(instruction, at, out uint length, out string? error))
                    throw new InvalidOperationException($"seed {Seed}: {instruction}: {error}");
                sink.Bytes.AsSpan(0, sink.Length).CopyTo(Memory.AsSpan((int)(at - Layout.Code)));
                at += length;
            }
            Addresses[Items.Count] = at;
        }
        return this;
    }

    private static void Resolve(ref Instruction instruction, Item item, ulong address)
    {
        switch (item.Use)
        {
            case LabelUse.Branch: instruction.NearBranch64 = address; break;
            case LabelUse.Immediate: instruction.Immediate32 = (uint)address; break;
            case LabelUse.Displacement: instruction.MemoryDisplacement64 = address; break;
        }
    }

    private sealed class Sink : CodeWriter
    {
        public byte[] Bytes { get; } = new byte[16];
        public int Length { get; set; }
        public override void WriteByte(byte value) => Bytes[Length++] = value;
    }

    /// <summary>The native program's control page.</summary>
    public void WriteControl(Span<byte> page)
    {
        page.Clear();
        for (int i = 0; i < 16; i++)
            Put(page, Layout.InGpr + (i * 8), Gpr[i]);
        WriteFrame(page[Layout.InFrame..]);
        Put(page, Layout.InFsBase, FsBase);
        Put(page, Layout.InGsBase, GsBase);
        Xsave.CopyTo(page[Layout.InXsave..]);
    }

    /// <summary>What IRETQ pops: RIP, CS, RFLAGS, RSP, SS.</summary>
    public void WriteFrame(Span<byte> frame)
    {
        Put(frame, 0, Start);
        Put(frame, 8, Compatibility ? Layout.Code32 : (ulong)Layout.Code64);
        Put(frame, 16, Rflags);
        Put(frame, 24, Gpr[4]);
        Put(frame, 32, Layout.DataSelector);
    }

    private static void Put(Span<byte> bytes, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes[at..], value);
}
