using System.Buffers.Binary;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Fuzz.RiscV;

/// <summary>One instruction of a program. Branches name their target by index; SMC pairs name a place likewise.</summary>
/// <param name="Target">Index of the item that the immediate leads to, or -1.</param>
/// <param name="Origin">Index of the item whose address the immediate counts from, or -1 for this one.</param>
/// <param name="Raw">Bits to use instead of encoding the fields: something no row matches.</param>
internal readonly record struct Item(Fields Fields, int Target = -1, int Origin = -1, uint? Raw = null)
{
    public int Length => Raw is { } raw ? ((raw & 3) == 3 ? 4 : 2) : Fields.Length;
}

/// <summary>Privilege and translation that a program runs under; the last one by MPRV, for data alone.</summary>
internal enum Environment { MachineBare, SupervisorSv39, UserSv39, UserBare, MachineAsUserSv39 }

/// <summary>A program with everything its run depends on.</summary>
internal sealed class TestProgram
{
    public required ulong Seed { get; init; }
    public required Environment Environment { get; init; }
    public required List<Item> Items { get; init; }

    /// <summary>Where the first item lies.</summary>
    public required int Start { get; init; }
    public required ulong[] X { get; init; }
    public required ulong[] F { get; init; }
    public required uint Fcsr { get; init; }
    public required byte[] Data { get; init; }

    /// <summary>Instructions to run, the prologue's included.</summary>
    public required ulong Limit { get; init; }

    /// <summary>After so many instructions an interrupt becomes pending; 0 for never.</summary>
    public ulong InterruptAfter { get; init; }

    /// <summary>The program may read how many instructions were executed; else its counters stand still.</summary>
    public required bool Counted { get; init; }

    /// <summary>Random bits that choose between settings of CSRs.</summary>
    public required ulong Choices { get; init; }

    public TestProgram With(List<Item> items) => new()
    {
        Seed = Seed, Counted = Counted, Choices = Choices, Environment = Environment, Items = items, Start = Start, X = X, F = F, Fcsr = Fcsr, Data = Data,
        Limit = Limit, InterruptAfter = InterruptAfter,
    };

    /// <summary>Whether data addresses are virtual.</summary>
    public bool IsTranslated => Environment is Environment.SupervisorSv39 or Environment.UserSv39 or Environment.MachineAsUserSv39;

    /// <summary>Offset of every item, and of the end.</summary>
    public int[] Addresses()
    {
        var addresses = new int[Items.Count + 1];
        addresses[0] = Start;
        for (int i = 0; i < Items.Count; i++)
            addresses[i + 1] = addresses[i] + Items[i].Length;
        return addresses;
    }

    /// <summary>Encoding of an item.</summary>
    public uint Encode(int index, int[] addresses)
    {
        Item item = Items[index];
        if (item.Raw is { } raw)
            return raw;
        Fields f = item.Fields;
        if (item.Target < 0)
            return InstructionTable.Encode(in f);
        int imm = addresses[item.Target] - addresses[item.Origin < 0 ? index : item.Origin];
        return InstructionTable.Encode(new Fields(f.Op, f.Length, 0, f.Rd, f.Rs1, f.Rs2, f.Rs3, imm, f.Rm));
    }

    /// <summary>Writes everything behind the firmware's page into an image of the RAM.</summary>
    public void Build(Span<byte> ram)
    {
        ram[Layout.Code..].Clear();
        int[] addresses = Addresses();
        for (int i = 0; i < Items.Count; i++)
        {
            uint word = Encode(i, addresses);
            if (Items[i].Length == 2)
                BinaryPrimitives.WriteUInt16LittleEndian(ram[addresses[i]..], (ushort)word);
            else
                BinaryPrimitives.WriteUInt32LittleEndian(ram[addresses[i]..], word);
        }
        // An ecall, known to the handler by its address, ends the program.
        BinaryPrimitives.WriteUInt32LittleEndian(ram[addresses[^1]..], 0x00000073);
        BinaryPrimitives.WriteUInt64LittleEndian(ram[(Layout.TrapLog + Firmware.EndSlot)..], Layout.Base + (ulong)addresses[^1]);
        PageTables(ram);
        Data.CopyTo(ram[Layout.Data..]);
        Span<byte> initial = ram[Layout.Initial..];
        for (int i = 0; i < 32; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(initial[Firmware.SlotX(i)..], X[i]);
            BinaryPrimitives.WriteUInt64LittleEndian(initial[Firmware.SlotF(i)..], F[i]);
        }
        foreach (int csr in Firmware.InitialCsrs)
            BinaryPrimitives.WriteUInt64LittleEndian(initial[Firmware.SlotCsr(csr)..], InitialCsr(csr));
    }

    private ulong InitialCsr(int csr)
    {
        ulong privilege = Environment switch { Environment.MachineBare or Environment.MachineAsUserSv39 => 3, Environment.SupervisorSv39 => 1, _ => 0 };
        // Mostly dirty; now and then off, initial or clean.
        ulong fs = Math.Min(3, Choices >> 16 & 0xF) << 13;
        ulong mprv = Environment == Environment.MachineAsUserSv39 ? 1UL << 17 : 0;
        const ulong Mpie = 1UL << 7;
        ulong sum = (Choices & 1) << 18, mxr = (Choices >> 1 & 1) << 19;
        return csr switch
        {
            0x003 => Fcsr,
            0x300 => fs | mprv | Mpie | privilege << 11 | sum | mxr,
            0x180 => IsTranslated ? 8UL << 60 | (Layout.Base + Layout.PageTables) >> 12 : 0,
            0x341 => Layout.Base + (ulong)Start,
            0x304 => 1UL << 3,
            0x30A or 0x10A => (Choices >> 2 & 0xF) << 4,
            0x306 or 0x106 => Choices >> 8 & 5,
            // Everything from NotExecutable up: read and write. The firmware: read and execute. The rest of memory: all.
            0x3B0 => Napot(Layout.Base + Layout.NotExecutable, Layout.RamSize - Layout.NotExecutable),
            0x3B1 => Napot(Layout.Base, Layout.PageSize),
            0x3B2 => ulong.MaxValue >> 10,
            // Locked, so that they bind M-mode too.
            0x3A0 => 0x9B | 0x9D << 8 | 0x1F << 16,
            0x305 or 0x105 => Layout.Base + (ulong)Firmware.HandlerOffset,
            0x340 => Layout.Base + Layout.TrapLog,
            0x320 => Counted ? 0UL : 0x7D,
            _ => 0,
        };
    }

    private static ulong Napot(ulong start, int size) => (start >> 2) | ((ulong)size / 8 - 1);

    /// <summary>Identity-maps code and data, pages of various rights among them, and the data once more at the alias.</summary>
    private void PageTables(Span<byte> ram)
    {
        const int Valid = 1, R = 2, W = 4, X = 8, User = 16, A = 64, D = 128;
        static ulong Pte(int offset, int bits) => (Layout.Base + (ulong)offset) >> 12 << 10 | (uint)bits;
        int user = Environment is Environment.UserSv39 or Environment.MachineAsUserSv39 ? User : 0;
        BinaryPrimitives.WriteUInt64LittleEndian(ram[(Layout.PageTables + 2 * 8)..], Pte(Layout.PageTables + Layout.PageSize, Valid));
        BinaryPrimitives.WriteUInt64LittleEndian(ram[(Layout.PageTables + Layout.PageSize)..], Pte(Layout.PageTables + 2 * Layout.PageSize, Valid));
        static void Map(Span<byte> tables, int page, int target, int bits) =>
            BinaryPrimitives.WriteUInt64LittleEndian(tables[(Layout.PageTables + 2 * Layout.PageSize + page * 8)..], Pte(target, bits));
        int all = Valid | R | W | user | A | D;
        Map(ram, 1, 0x1000, all | X);
        Map(ram, 2, 0x2000, all | X);
        Map(ram, 10, 0xA000, all);
        Map(ram, 11, 0xB000, all);
        Map(ram, 12, 0xC000, all & ~W);
        Map(ram, 14, 0xE000, all & ~D);
        Map(ram, 15, 0xF000, all ^ User);
        for (int i = 0; i < 6; i++)
            Map(ram, 32 + i, Layout.Data + i * Layout.PageSize, all);
        // The code once more, for writing to it.
        Map(ram, Layout.CodeAliasPage, 0x1000, all);
        Map(ram, Layout.CodeAliasPage + 1, 0x2000, all);
        // Execute-only, readable with MXR; and one without the accessed bit.
        Map(ram, 38, 0xB000, Valid | X | user | A);
        Map(ram, 39, 0xB000, all & ~A);
    }
}
