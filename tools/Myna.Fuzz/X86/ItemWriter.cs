using Iced.Intel;

namespace Myna.Fuzz.X86;

/// <summary>
/// Makes a case's instructions one after the other. It knows which registers still hold values that it knows, so that most
/// memory operands lie in the data pages, and which arithmetic flags the manuals leave undefined, so that nothing depends on them.
/// </summary>
internal sealed partial class ItemWriter(Values random, StateGenerator state, bool compatibility)
{
    public const RflagsBits Arithmetic = RflagsBits.CF | RflagsBits.PF | RflagsBits.AF | RflagsBits.ZF | RflagsBits.SF | RflagsBits.OF;

    private readonly List<Item> _items = [];
    private readonly InstructionInfoFactory _info = new();
    private readonly ulong[] _values = [.. state.Gpr];
    private readonly bool[] _known = [.. Enumerable.Repeat(true, 16)];
    private readonly bool[] _indices = [true, true];
    private readonly Encoder _encoder = Encoder.Create(compatibility ? 32 : 64, new Nowhere());
    private RflagsBits _undefined;
    private readonly List<(int At, RflagsBits Undefined)> _joins = [];

    /// <summary>Encodings that cases have in sequences only: which say where to go, or how often.</summary>
    public static Code[] InSequences { get; } =
    [
        Code.Retnd, Code.Retnq, Code.Retnd_imm16, Code.Retnq_imm16, Code.Jmp_rm32, Code.Jmp_rm64, Code.Call_rm32, Code.Call_rm64,
    ];

    private int Registers => compatibility ? 8 : 16;

    public List<Item> Finish()
    {
        for (int i = 0; i < _items.Count; i++)
        {
            if (_items[i].Label > _items.Count)
                _items[i] = _items[i] with { Label = _items.Count };
            // Not into the middle of what belongs together.
            while (_items[i].Use == LabelUse.Branch && _items[i].Label < _items.Count && _items[_items[i].Label].Joined)
                _items[i] = _items[i] with { Label = _items[i].Label + 1 };
            if (_items[i].Use == LabelUse.Branch && _items[i].Label > i && IsShort(_items[i].Instruction) && !Reaches(i))
                _items[i] = _items[i] with { Label = i + 1 };
        }
        for (int i = 0; i < _items.Count && UndefinedFlags.Matter(_items); i++)
        {
            if (_items[i].Use == LabelUse.Branch)
                _items[i] = new Item(Instruction.Create(Code.Nopd)) { Joined = _items[i].Joined };
        }
        return _items;
    }

    private static bool IsShort(in Instruction branch) => branch.Code.ToOpCode().GetOpKind(0) is OpCodeOperandKind.br32_1 or OpCodeOperandKind.br64_1;

    private bool Reaches(int branch)
    {
        uint distance = 0;
        for (int i = branch + 1; i < _items[branch].Label; i++)
        {
            _encoder.TryEncode(_items[i].Instruction, state.Start, out uint length, out _);
            distance += length;
        }
        return distance < 100;
    }

    /// <summary>An instruction by random choice, or a few that belong together.</summary>
    public void Add(Func<OpCodeInfo> choose)
    {
        switch (random.Below(100))
        {
            case < 4: Fresh(); break;
            case 4: SelfModify(); break;
            case 5: Indirect(); break;
            case 6: Loop(choose); break;
        }
        for (int attempt = 0; attempt < 20; attempt++)
        {
            OpCodeInfo op = choose();
            if (IsParticular(op.Mnemonic) ? TryPutParticular(op) : TryMake(op, out Item item) && Put(item))
                return;
        }
    }

    /// <summary>Takes an instruction into the case unless it cannot be encoded or would look at undefined flags.</summary>
    private bool Put(Item item)
    {
        Instruction instruction = item.Instruction;
        if (!_encoder.TryEncode(instruction, state.Start, out _, out _))
            return false;
        Join();
        if ((instruction.RflagsRead & _undefined & Arithmetic) != 0)
        {
            int before = _items.Count;
            Define();
            if (item.Use == LabelUse.Branch && item.Label > before)
                item = item with { Label = item.Label + 1 };
            // A jump may come in between the comparison and this.
            Join();
            if ((instruction.RflagsRead & _undefined & Arithmetic) != 0)
                return false;
        }
        _undefined = After(_undefined, instruction);
        if (item.Use == LabelUse.Branch && item.Label > _items.Count)
            _joins.Add((item.Label, _undefined));
        _items.Add(item);
        Forget(instruction);
        return true;
    }

    /// <summary>Takes over what jumps to the next item leave undefined.</summary>
    private void Join() => _joins.RemoveAll(j =>
    {
        if (j.At <= _items.Count)
            _undefined |= j.Undefined;
        return j.At <= _items.Count;
    });

    /// <summary>Which flags are undefined behind an instruction.</summary>
    public static RflagsBits After(RflagsBits before, in Instruction instruction)
    {
        RflagsBits defined = instruction.RflagsWritten | instruction.RflagsCleared | instruction.RflagsSet;
        if (MayLeaveFlags(instruction))
            defined = RflagsBits.None;
        return (before & ~defined) | (instruction.RflagsUndefined & Arithmetic);
    }

    /// <summary>A count of zero leaves all flags alone.</summary>
    private static bool MayLeaveFlags(in Instruction instruction) => instruction.HasRepPrefix || instruction.HasRepnePrefix
        || (instruction.OpCount >= 2 && instruction.GetOpKind(instruction.OpCount - 1) == OpKind.Register && instruction.GetOpRegister(instruction.OpCount - 1) == Register.CL
            && instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Sal or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd);

    /// <summary>A comparison, which defines all flags.</summary>
    private void Define() => Put(new Item(Instruction.Create(Code.Cmp_rm32_r32, Gpr32(random.Below(8)), Gpr32(random.Below(8)))));

    private void Forget(in Instruction instruction)
    {
        foreach (UsedRegister used in _info.GetInfo(instruction).GetUsedRegisters())
        {
            if (used.Access is not (OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite))
                continue;
            if (used.Register.IsGPR())
                _known[used.Register.GetFullRegister() - Register.RAX] = false;
            else if (used.Register.IsVectorRegister() && used.Register.GetNumber() is 6 or 7)
                _indices[used.Register.GetNumber() - 6] = false;
        }
    }

    /// <summary>A register gets a value that is good for something.</summary>
    private void Fresh()
    {
        int register = random.Below(Registers);
        if (register != 4)
            Load(register, random.Chance(50) ? Layout.Data + (uint)random.Below(Layout.DataSize) : (uint)random.Between(-64, 64));
    }

    private void Load(int register, uint value)
    {
        if (!Put(new Item(Instruction.Create(Code.Mov_r32_imm32, Gpr32(register), value))))
            return;
        _known[register] = true;
        _values[register] = value;
    }

    /// <summary>A store into one of the next instructions.</summary>
    private void SelfModify()
    {
        int register = random.Below(Registers);
        if (register == 4)
            return;
        // Behind the opcode, and REX.
        int at = random.Between(1, 5) + (register >= 8 ? 1 : 0);
        var target = compatibility ? new MemoryOperand(Register.None, 0L, 4) : random.Chance(50) ? new MemoryOperand(Register.RIP, (long)Layout.Code, 4) : new MemoryOperand(Register.None, (long)Layout.Code, 8);
        Instruction store = random.Below(3) switch
        {
            0 => Instruction.Create(Code.Mov_rm8_r8, target, random.Pick<Register>([Register.AL, Register.DL, Register.BH])),
            1 => Instruction.Create(Code.Add_rm8_imm8, target, random.Below(256)),
            _ => Instruction.Create(Code.Mov_rm8_imm8, target, random.Below(256)),
        };
        // Instead of the immediate, seldom, the opcode: MOV to another register.
        if (random.Chance(15))
        {
            at = 0;
            store = Instruction.Create(Code.Mov_rm8_imm8, target, random.Pick<int>([0xB8, 0xB9, 0xBA, 0xBB, 0xBD]));
            register = 0;
        }
        int label = _items.Count + 1;
        if (!Put(new Item(store) { Label = label, Use = LabelUse.Displacement, Distance = at }))
            return;
        Put(new Item(Instruction.Create(Code.Mov_r32_imm32, Gpr32(register), (uint)random.Next())));
        foreach (int written in (int[])[0, 1, 2, 3, 5])
            _known[written] &= at != 0;
    }

    /// <summary>A jump or call through a register, or a return, to the instruction behind it.</summary>
    private void Indirect()
    {
        int register = random.Pick<int>([0, 1, 2, 3, 5]);
        Register full = compatibility ? Gpr32(register) : Register.RAX + register;
        int kind = random.Below(3);
        int label = _items.Count + 2;
        if (kind == 2)
        {
            Put(new Item(Instruction.Create(compatibility ? Code.Pushd_imm32 : Code.Pushq_imm32, (int)Layout.Code)) { Label = label, Use = LabelUse.Immediate });
            Put(new Item(random.Chance(50) ? Instruction.Create(compatibility ? Code.Retnd : Code.Retnq) : Instruction.Create(compatibility ? Code.Retnd_imm16 : Code.Retnq_imm16, random.Below(8) * 8)));
            return;
        }
        Put(new Item(Instruction.Create(Code.Mov_r32_imm32, Gpr32(register), Layout.Code)) { Label = label, Use = LabelUse.Immediate });
        Code jump = kind == 0 ? (compatibility ? Code.Jmp_rm32 : Code.Jmp_rm64) : compatibility ? Code.Call_rm32 : Code.Call_rm64;
        Put(new Item(Instruction.Create(jump, full)));
    }

    /// <summary>An instruction a few times over.</summary>
    private void Loop(Func<OpCodeInfo> choose)
    {
        OpCodeInfo op = choose();
        if (IsParticular(op.Mnemonic) || !TryMake(op, out Item body) || body.Use != LabelUse.None)
            return;
        foreach (UsedRegister used in _info.GetInfo(body.Instruction).GetUsedRegisters())
        {
            if (used.Register.IsGPR() && used.Register.GetFullRegister() is Register.RCX or Register.RSP && used.Access != OpAccess.Read)
                return;
        }
        // What the body reads in the second round is what it left undefined in the first.
        if ((body.Instruction.RflagsRead & Arithmetic) != 0)
            return;
        Load(1, (uint)random.Between(1, 6));
        int start = _items.Count;
        if (!Put(body))
            return;
        start = _items.Count - 1;
        RflagsBits before = _undefined;
        Put(new Item(Branch(compatibility ? Code.Loop_rel8_32_ECX : Code.Loop_rel8_64_RCX)) { Label = start, Use = LabelUse.Branch });
        _undefined |= before;
    }

    private static Instruction Branch(Code code) => Instruction.CreateBranch(code, Layout.Code);

    private static Register Gpr32(int number) => Register.EAX + number;

    private sealed class Nowhere : CodeWriter
    {
        public override void WriteByte(byte value)
        {
        }
    }
}
