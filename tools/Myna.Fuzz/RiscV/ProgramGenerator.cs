using System.Buffers.Binary;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Fuzz.RiscV;

/// <summary>Random programs from the instruction table: a new row of the table is fuzzed without more ado.</summary>
internal sealed class ProgramGenerator(ulong seed, bool counted)
{
    /// <summary>Registers that mostly hold addresses of data: sp, and two that compressed loads and stores reach.</summary>
    public static readonly int[] Pointers = [2, 8, 9, 15];

    /// <summary>CSRs that programs may write: the others would take the machine away from under the program.</summary>
    private static readonly int[] Writable =
        [0x001, 0x002, 0x003, 0x001, 0x002, 0x003, 0x140, 0x141, 0x142, 0x143, 0x106, 0x341, 0x342, 0x343, 0x306, 0x10A, 0x30A];

    /// <summary>Counters, which only stand in programs that are not counted.</summary>
    private static readonly int[] Counters = [0xB00, 0xB02, 0x320];

    /// <summary>Which read the clock or the host: not the same twice, or not the same in two machines.</summary>
    private static readonly int[] Unstable = [0xC01, 0xF14];

    private enum Kind { Plain, Float, Memory, Atomic, Branch, Jump, Csr, System, Cache }

    private static readonly (Kind Kind, int Weight)[] Weights =
    [
        (Kind.Plain, 38), (Kind.Float, 20), (Kind.Memory, 20), (Kind.Atomic, 4), (Kind.Branch, 9), (Kind.Jump, 2), (Kind.Csr, 4), (Kind.System, 1), (Kind.Cache, 1),
    ];

    private static readonly Dictionary<Kind, InstructionRow[]> Rows = InstructionTable.Rows[1..].ToArray().GroupBy(KindOf).ToDictionary(g => g.Key, g => g.ToArray());

    private readonly Values _random = new(seed);
    private readonly List<Item> _items = [];
    private bool _aliased;

    private static Kind KindOf(InstructionRow row)
    {
        if (row.Extension is Extension.A)
            return Kind.Atomic;
        if (row.Extension is Extension.Privileged or Extension.Svinval or Extension.Zawrs or Extension.Zifencei or Extension.Zihintpause || row.Mnemonic is "ecall" or "ebreak" or "c.ebreak" or "fence")
            return Kind.System;
        if (row.Extension is Extension.Zicbom or Extension.Zicboz)
            return Kind.Cache;
        if (row.Extension is Extension.Zicsr)
            return Kind.Csr;
        if (row.Mnemonic is "jal" or "jalr" or "c.j" or "c.jr" or "c.jalr")
            return Kind.Jump;
        if (row.Syntax.Contains("{target}", StringComparison.Ordinal))
            return Kind.Branch;
        if (row.Syntax.Contains("({rs1})", StringComparison.Ordinal))
            return Kind.Memory;
        return row.Extension is Extension.F or Extension.D ? Kind.Float : Kind.Plain;
    }

    /// <param name="only">The environment to run in, instead of a random one.</param>
    public TestProgram Generate(Environment? only = null)
    {
        Environment environment = only ?? _random.Pick<Environment>([Environment.MachineBare, Environment.MachineBare, Environment.SupervisorSv39, Environment.UserSv39, Environment.UserBare, Environment.MachineAsUserSv39]);
        _aliased = environment is not (Environment.MachineBare or Environment.UserBare);
        int count = _random.Pick<int>([8, 20, 40, 80, 150]);
        for (int i = 0; i < count; i++)
            Add(count);
        Item[] items = [.. _items.Select(i => i.Target < 0 ? i : i with { Target = Math.Min(i.Target, _items.Count) })];
        return new TestProgram
        {
            Seed = seed,
            Counted = counted,
            Choices = _random.Next(),
            Environment = environment,
            Items = [.. items.Select((item, i) => InRange(items, i) ? item : new Item(new Fields(Opcode.CNop, 2, 0)))],
            Start = Layout.Code + (_random.Chance(50) ? 0 : _random.Below(0x800) * 2),
            X = [.. Enumerable.Range(0, 32).Select(Register)],
            F = [.. Enumerable.Range(0, 32).Select(_ => _random.Float())],
            Fcsr = (uint)(_random.Below(5) << 5 | (_random.Chance(50) ? 0 : _random.Below(32))),
            Data = Data(),
            Limit = (ulong)(Firmware.PrologueLength + _random.Pick<int>([count, 4 * count, 500, 2000])),
            InterruptAfter = counted && _random.Chance(20) ? (ulong)(Firmware.PrologueLength + _random.Below(count + 20)) : 0,
        };
    }

    /// <summary>Whether a branch reaches its target; a short one that does not becomes a c.nop.</summary>
    private static bool InRange(Item[] items, int index)
    {
        Item item = items[index];
        if (item.Target < 0 || item.Origin >= 0 || item.Fields.Length == 4)
            return true;
        int distance = 0;
        for (int i = Math.Min(index, item.Target); i < Math.Max(index, item.Target); i++)
            distance += items[i].Length;
        return distance < (item.Fields.Op == Opcode.CJ ? 2000 : 250);
    }

    private ulong Register(int register)
    {
        if (register == 0)
            return 0;
        if (!Pointers.Contains(register))
            return _random.Integer();
        ulong page = _random.Chance(70) ? Layout.Base + (ulong)_random.Between(10, 16) * Layout.PageSize : Layout.DataAlias + (ulong)_random.Below(8) * Layout.PageSize;
        int offset = _random.Below(4) switch { 0 => _random.Below(64), 1 => Layout.PageSize - 1 - _random.Below(64), _ => _random.Below(Layout.PageSize) };
        return page + (ulong)(_random.Chance(85) ? offset & ~7 : offset);
    }

    private byte[] Data()
    {
        var data = new byte[Layout.RamSize - Layout.Data];
        for (int i = 0; i < data.Length; i += 8)
            BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(i), (i >> 7 & 3) switch { 0 => _random.Integer(), 1 => _random.Double(), 2 => _random.Float(), _ => _random.Next() });
        for (int i = 0; i < Layout.SpareSize; i += 4)
            BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(i), InstructionTable.Encode(Synthesise(_random.Pick<InstructionRow>([.. Rows[Kind.Plain].Where(r => r.Length == 4)]))));
        return data;
    }

    private void Add(int count)
    {
        if (_random.Chance(1))
        {
            // Something that is most likely no instruction.
            uint raw = (uint)_random.Next();
            if (KindOf(InstructionTable.Rows[(int)InstructionTable.Decode(raw).Op]) is Kind.Plain or Kind.Float)
                _items.Add(new Item(default, Raw: (raw & 3) == 3 ? raw : raw & 0xFFFF));
            return;
        }
        if (_random.Chance(1))
        {
            SelfModify(count);
            return;
        }
        if (_random.Chance(1))
        {
            Loop(count);
            return;
        }
        int at = _random.Below(Weights.Sum(w => w.Weight));
        Kind kind = Weights.First(w => (at -= w.Weight) < 0).Kind;
        InstructionRow row = _random.Pick<InstructionRow>(Rows[kind]);
        switch (kind)
        {
            case Kind.Branch:
                _items.Add(new Item(Synthesise(row), Target(count)));
                break;
            case Kind.Jump:
                Jump(row, count);
                break;
            case Kind.System when row.Mnemonic is "wfi" or "wrs.nto" && !_random.Chance(4):
            case Kind.System when row.Mnemonic is "mret" or "sret" && !_random.Chance(25):
                // Most of the time these end the program.
                break;
            default:
                _items.Add(new Item(Synthesise(row)));
                break;
        }
    }

    /// <summary>Some instructions a number of times: blocks that are entered again and linked with each other.</summary>
    private void Loop(int count)
    {
        uint counter = (uint)_random.Pick<int>([5, 14, 23, 31]);
        _items.Add(new Item(new Fields(Opcode.Addi, 4, 0, counter, imm: _random.Between(2, 12))));
        int start = _items.Count;
        int length = _random.Between(1, 12);
        while (_items.Count < start + length)
            Add(count);
        _items.Add(new Item(new Fields(Opcode.Addi, 4, 0, counter, counter, imm: -1)));
        _items.Add(new Item(new Fields(Opcode.Blt, 4, 0, 0, 0, counter), start));
    }

    private int Target(int count) => _random.Chance(6) ? Math.Max(0, _items.Count - _random.Below(12)) : _items.Count + 1 + _random.Below(Math.Min(count, 10));

    private void Jump(InstructionRow row, int count)
    {
        Fields f = Synthesise(row);
        if (row.Syntax.Contains("{target}", StringComparison.Ordinal))
        {
            _items.Add(new Item(f, Target(count)));
            return;
        }
        // An indirect jump needs an address: mostly one that leads somewhere.
        int register = f.Rs1 == 0 || Pointers.Contains(f.Rs1) ? 5 : f.Rs1;
        if (_random.Chance(95))
        {
            int auipc = _items.Count;
            _items.Add(new Item(new Fields(Opcode.Auipc, 4, 0, (uint)register)));
            _items.Add(new Item(new Fields(Opcode.Addi, 4, 0, (uint)register, (uint)register), Target(count), auipc));
        }
        _items.Add(new Item(new Fields(f.Op, f.Length, 0, f.Rd, (uint)register, 0, 0, row.Mnemonic == "jalr" && _random.Chance(20) ? _random.Below(2) : 0)));
    }

    /// <summary>Copies a spare instruction over a later one, makes it visible, and goes on.</summary>
    private void SelfModify(int count)
    {
        const uint A = 6, B = 7, C = 28;
        int spare = Layout.Spare + _random.Below(Layout.SpareSize / 4) * 4;
        int victim = _items.Count + 8 + _random.Below(6);
        // The upper part reaches the data from any place in the code pages to within 2048 bytes only from a known
        // address: so it is made absolute. lui sign-extends; the shifts undo that.
        ulong address = Layout.Base + (ulong)spare;
        _items.Add(new Item(new Fields(Opcode.Lui, 4, 0, A, imm: (int)(uint)(address & ~0xFFFUL))));
        _items.Add(new Item(new Fields(Opcode.AddUw, 4, 0, A, A, 0)));
        _items.Add(new Item(new Fields(Opcode.Lwu, 4, 0, A, A, imm: (int)(address & 0xFFF))));
        int auipc = _items.Count;
        _items.Add(new Item(new Fields(Opcode.Auipc, 4, 0, B)));
        if (_aliased && _random.Chance(60))
        {
            // Under another virtual address than it is executed at.
            _items.Add(new Item(new Fields(Opcode.Lui, 4, 0, C, imm: Layout.CodeAliasPage * Layout.PageSize - Layout.Code)));
            _items.Add(new Item(new Fields(Opcode.Add, 4, 0, B, B, C)));
        }
        _items.Add(new Item(new Fields(Opcode.Sw, 4, 0, 0, B, A), victim, auipc));
        _items.Add(new Item(new Fields(Opcode.FenceI, 4, 0)));
        while (_items.Count < victim)
            _items.Add(new Item(Synthesise(_random.Pick<InstructionRow>(Rows[Kind.Plain]))));
        // Four bytes long, and nothing that a later minimisation must keep in place.
        _items.Add(new Item(new Fields(Opcode.Addi, 4, 0, 10, 10, 0, 0, 1)));
    }

    private int Destination()
    {
        int register = _random.Below(32);
        return Pointers.Contains(register) && !_random.Chance(4) ? register + 3 : register;
    }

    /// <summary>Random operands that the row can hold.</summary>
    private Fields Synthesise(InstructionRow row)
    {
        bool compressed = row.Pattern.Contains('\'', StringComparison.Ordinal);
        bool memory = row.Syntax.Contains("({rs1})", StringComparison.Ordinal);
        for (int attempt = 0; attempt < 50; attempt++)
        {
            int rd = Destination(), rs1 = _random.Below(32), rs2 = _random.Below(32), rs3 = _random.Below(32);
            if (_random.Chance(15))
                rs1 = rd;
            if (_random.Chance(10))
                rs2 = rs1;
            if (compressed)
                (rd, rs1, rs2) = (Pointers.Contains(rd & 7 | 8) && !_random.Chance(4) ? 10 + rd % 5 : rd & 7 | 8, rs1 & 7 | 8, rs2 & 7 | 8);
            // Addresses of code stay out of the pointers: stores to code without FENCE.I have no certain outcome.
            if (row.Mnemonic is "jal" or "jalr" or "auipc" && Pointers.Contains(rd))
                rd += 3;
            if (row.Pattern.Contains("rd/rs1", StringComparison.Ordinal) || row.Pattern.Contains("rd'/rs1'", StringComparison.Ordinal))
                rs1 = rd;
            int imm = _random.Immediate();
            if (memory && !_random.Chance(3))
            {
                rs1 = compressed ? _random.Pick<int>([8, 9, 15]) : _random.Pick<int>(Pointers);
                imm = _random.Chance(15) ? imm : _random.Between(-8, 32) * 8 + (_random.Chance(20) ? _random.Below(8) : 0);
            }
            int rm = row.Extension is Extension.A ? _random.Below(4) : _random.Pick<int>([0, 1, 2, 3, 4, 7, 7, 7, 7]);
            if (row.Extension is Extension.Zicsr)
                (imm, rs1) = Csr(row, rs1);
            var f = new Fields(row.Op, row.Length, 0, (uint)rd, (uint)rs1, (uint)rs2, (uint)rs3, imm, (uint)rm);
            if (InstructionTable.Decode(InstructionTable.Encode(in f)).Op == row.Op)
                return f;
        }
        return new Fields(Opcode.Addi, 4, 0);
    }

    private (int Csr, int Rs1) Csr(InstructionRow row, int rs1)
    {
        if (counted && _random.Chance(15))
            return (_random.Pick<int>(Counters), rs1);
        if (_random.Chance(70))
            return (_random.Pick<int>(Writable), rs1);
        // mstatus by its lowest five bits only: the interrupt enables.
        if (_random.Chance(10) && row.Mnemonic is "csrrsi" or "csrrci")
            return (0x300, rs1);
        int csr = _random.Below(4096);
        if (Unstable.Contains(csr))
            csr = 0xC00;
        return row.Mnemonic is "csrrw" or "csrrwi" ? (_random.Pick<int>(Writable), rs1) : (csr, 0);
    }
}
