using System.Buffers.Binary;
using Iced.Intel;

namespace Myna.Fuzz.X86;

/// <summary>Which instructions cases are made of, when not of all.</summary>
/// <param name="Extension">Part of a CPUID feature's name as Iced has it, e.g. "AVX2".</param>
/// <param name="Code">Part of an encoding's name as Iced has it, e.g. "Shld".</param>
internal sealed record Selection(string? Extension = null, string? Code = null)
{
    public OpCodeInfo[] Of(OpCodeInfo[] all) => Extension is null && Code is null ? all :
    [
        .. all.Where(op => (Code is null || op.Code.ToString().Contains(Code, StringComparison.OrdinalIgnoreCase))
            && (Extension is null || Array.Exists(op.Code.CpuidFeatures(), f => f.ToString().Contains(Extension, StringComparison.OrdinalIgnoreCase)))),
    ];
}

/// <summary>Makes case number n.</summary>
internal sealed class CaseGenerator(InstructionPool pool, Selection selection)
{
    private readonly OpCodeInfo[] _codes64 = selection.Of(pool.Codes64), _codes32 = selection.Of(pool.Codes32);

    // Instructions of one mnemonic have up to a dozen encodings: mnemonics are equally likely.
    private readonly OpCodeInfo[][] _groups64 = Group(selection.Of(pool.Codes64)), _groups32 = Group(selection.Of(pool.Codes32));

    private static OpCodeInfo[][] Group(OpCodeInfo[] codes) => [.. codes.GroupBy(op => op.Mnemonic).Select(g => g.ToArray())];

    public TestCase Generate(ulong seed)
    {
        var random = new Values(seed * 0x9E37_79B9 + 1);
        bool compatibility = _codes32.Length != 0 && (random.Chance(20) || _codes64.Length == 0);
        var state = new StateGenerator(random, compatibility);
        OpCodeInfo[][] groups = compatibility ? _groups32 : _groups64;
        var writer = new ItemWriter(random, state, compatibility);
        int length = random.Chance(30) ? random.Between(1, 4) : random.Between(1, 31);
        for (int i = 0; i < length; i++)
            writer.Add(() => random.Pick<OpCodeInfo>(random.Pick<OpCodeInfo[]>(groups)));
        return new TestCase
        {
            Seed = seed, Compatibility = compatibility, Gpr = state.Gpr, Rflags = state.Rflags, FsBase = state.FsBase, GsBase = state.GsBase,
            Xsave = state.Xsave, Memory = state.Memory, Start = state.Start, Items = writer.Finish(),
        }.Assemble();
    }
}

/// <summary>Registers and memory to begin with.</summary>
internal sealed class StateGenerator
{
    public ulong[] Gpr { get; } = new ulong[16];
    public ulong Rflags { get; }
    public ulong FsBase { get; }
    public ulong GsBase { get; }
    public byte[] Xsave { get; } = new byte[Layout.XsaveSize];
    public byte[] Memory { get; } = new byte[Layout.MemorySize];
    public ulong Start { get; }

    public StateGenerator(Values random, bool compatibility)
    {
        for (int i = 0; i < 16; i++)
        {
            Gpr[i] = random.Below(5) switch
            {
                0 => Layout.Data + (ulong)random.Below(Layout.DataSize),
                1 => (ulong)random.Below(64),
                2 => random.Double(),
                _ => random.Integer(),
            };
            if (compatibility)
                Gpr[i] = i < 8 ? (uint)Gpr[i] : 0;
        }
        Gpr[4] = Layout.Stack + (ulong)(random.Chance(90) ? random.Between(64, 240) * 32 : random.Between(0, Layout.StackSize + 1));
        Gpr[6] = Layout.Data + (ulong)random.Below(Layout.WritableSize);
        Gpr[7] = Layout.Data + (ulong)random.Below(Layout.WritableSize);
        // IF is set and bit 1 too; CF PF AF ZF SF OF at random, DF, AC, ID, TF and NT seldom.
        Rflags = 0x202 | (random.Next() & 0x8D5) | (random.Chance(20) ? 0x400u : 0) | (random.Chance(3) ? 0x4_0000u : 0) | (random.Chance(5) ? 0x20_0000u : 0)
            | (random.Chance(1) ? 0x100u : 0) | (random.Chance(2) ? 0x4000u : 0);
        FsBase = Layout.Data + (ulong)random.Below(Layout.WritableSize);
        GsBase = random.Chance(80) || compatibility ? Layout.Data + (ulong)random.Below(Layout.WritableSize) : random.Integer() & 0x7FFF_FFFF_FFFF;
        for (int at = Layout.CodeSize; at < Layout.MemorySize; at += 16)
            Value(random, Memory.AsSpan(at, 16));
        Start = Layout.Code + (ulong)(random.Chance(70) ? random.Below(64) : random.Chance(60) ? Layout.Page - random.Between(1, 40) : random.Below(Layout.CodeSize - 1024));
        Float(random);
    }

    private void Float(Values random)
    {
        Span<byte> x = Xsave;
        // FCW: masks, bit 6, precision (01 is reserved), rounding.
        int masks = random.Chance(85) ? 0x3F : random.Below(64);
        int precision = random.Chance(60) ? 3 : random.Pick<int>([0, 2, 3]);
        Put16(x, 0, 0x40 | masks | (precision << 8) | (random.Chance(50) ? 0 : random.Below(4) << 10));
        // FSW: condition codes, TOP, exceptions that are masked.
        Put16(x, 2, (random.Below(0x10000) & 0x7F00) | (random.Below(64) & masks));
        x[4] = random.Below(4) switch { 0 => 0, 1 => 0xFF, _ => (byte)random.Next() };
        int mxcsrMasks = random.Chance(85) ? 0x3F : random.Below(64);
        Put16(x, 24, (mxcsrMasks << 7) | (random.Chance(50) ? 0 : random.Below(64)) | (random.Chance(50) ? 0 : random.Below(4) << 13)
            | (random.Chance(10) ? 0x8000 : 0) | (random.Chance(10) ? 0x40 : 0));
        BinaryPrimitives.WriteUInt32LittleEndian(x[28..], 0xFFFF);
        for (int i = 0; i < 8; i++)
            Extended(random, x.Slice(32 + (i * 16), 10));
        for (int i = 0; i < 16; i++)
            Value(random, x.Slice(160 + (i * 16), 16));
        // Indices for gathers: four small double words, two small quad words.
        for (int i = 0; i < 4; i++)
            BinaryPrimitives.WriteInt32LittleEndian(x[(160 + (7 * 16) + (i * 4))..], random.Between(-64, 64));
        for (int i = 0; i < 2; i++)
            BinaryPrimitives.WriteInt64LittleEndian(x[(160 + (6 * 16) + (i * 8))..], random.Between(-64, 64));
        for (int i = 0; i < 16; i++)
            Value(random, x.Slice(576 + (i * 16), 16));
        for (int i = 0; i < 4; i++)
            BinaryPrimitives.WriteInt32LittleEndian(x[(576 + (7 * 16) + (i * 4))..], random.Between(-64, 64));
        for (int i = 0; i < 2; i++)
            BinaryPrimitives.WriteInt64LittleEndian(x[(576 + (6 * 16) + (i * 8))..], random.Between(-64, 64));
        x[512] = 7;
    }

    /// <summary>16 bytes as one kind of number or another.</summary>
    private static void Value(Values random, Span<byte> bytes)
    {
        int kind = random.Below(8);
        if (kind == 0)
        {
            Extended(random, bytes);
            return;
        }
        for (int i = 0; i < 16; i += 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[i..], kind switch
            {
                1 => random.Double(),
                2 => random.SingleBits() | ((ulong)random.SingleBits() << 32),
                3 => BitConverter.DoubleToUInt64Bits(random.Between(-100, 100)),
                4 => BitConverter.SingleToUInt32Bits(random.Between(-100, 100)) | ((ulong)BitConverter.SingleToUInt32Bits(random.Between(-100, 100)) << 32),
                5 => random.Next(),
                _ => random.Integer(),
            });
        }
    }

    private static void Extended(Values random, Span<byte> bytes)
    {
        int sign = random.Below(2) << 15;
        (int exponent, ulong significand) = random.Below(12) switch
        {
            0 => (0, 0UL),
            1 => (0x7FFF, 1UL << 63),
            2 => (0x7FFF, (1UL << 63) | random.Next()),
            3 => (0x7FFF, (1UL << 63) | (1UL << random.Below(62))),
            4 => (0, random.Next() >> random.Between(1, 64)),
            5 => (random.Below(0x8000), random.Next()),
            6 => (0x3FFF, 1UL << 63),
            7 => (0x3FFF + random.Between(-70, 70), (1UL << 63) | (random.Next() << random.Below(64))),
            8 => (0x3FFF + random.Pick<int>([-1074, -1023, -1022, 1023, 1024, -149, -126, 127, 128, -16382, 16383]), (1UL << 63) | random.Next()),
            9 => (0x3FFF + random.Between(0, 66), (1UL << 63) | (random.Next() << random.Below(64))),
            10 => (random.Below(0x7FFF), (1UL << 63) | random.Next()),
            _ => (0x3FFF + random.Between(-3, 4), (1UL << 63) | random.Next()),
        };
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, significand);
        Put16(bytes, 8, sign | exponent);
    }

    private static void Put16(Span<byte> bytes, int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(bytes[at..], (ushort)value);
}
