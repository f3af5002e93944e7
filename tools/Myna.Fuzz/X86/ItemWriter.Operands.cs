using Iced.Intel;

namespace Myna.Fuzz.X86;

internal sealed partial class ItemWriter
{
    /// <summary>An instruction with random operands.</summary>
    /// <returns>False when this choice of operands makes none.</returns>
    public bool TryMake(OpCodeInfo op, out Item item)
    {
        Instruction instruction = default;
        instruction.Code = op.Code;
        item = new Item(instruction);
        int label = -1;
        bool memory = false;
        int immediates = 0;
        for (int i = 0; i < op.OpCount; i++)
        {
            OpCodeOperandKind kind = op.GetOpKind(i);
            if (RegisterOf(kind, ref memory) is { } register)
            {
                // Half of what may be register or memory is memory.
                instruction.SetOpKind(i, OpKind.Register);
                instruction.SetOpRegister(i, register);
                // The stack pointer stays what it is, mostly.
                if (i == 0 && register.GetFullRegister() == Register.RSP && !random.Chance(10))
                    return false;
                continue;
            }
            switch (kind)
            {
                case OpCodeOperandKind.imm8 or OpCodeOperandKind.imm4_m2z:
                    instruction.SetOpKind(i, immediates++ == 0 ? OpKind.Immediate8 : OpKind.Immediate8_2nd);
                    uint value = random.Below(4) switch { 0 => (uint)random.Below(8), 1 => (uint)random.Below(64), _ => (uint)random.Below(256) };
                    if (op.Mnemonic == Mnemonic.Enter && immediates == 1)
                        value = (uint)random.Below(36);
                    if (op.Code is Code.Shld_rm16_r16_imm8 or Code.Shrd_rm16_r16_imm8)
                        value = (uint)random.Below(17);
                    if (kind == OpCodeOperandKind.imm4_m2z)
                        value &= 15;
                    // INT 80h is a call of the kernel.
                    if (op.Mnemonic == Mnemonic.Int && value == 0x80)
                        value = 0x81;
                    if (immediates == 1)
                        instruction.Immediate8 = (byte)value;
                    else
                        instruction.Immediate8_2nd = (byte)value;
                    break;
                case OpCodeOperandKind.imm8_const_1:
                    instruction.SetOpKind(i, OpKind.Immediate8);
                    instruction.Immediate8 = 1;
                    break;
                case OpCodeOperandKind.imm8sex16: Immediate(ref instruction, i, OpKind.Immediate8to16, (ulong)(sbyte)random.Integer()); break;
                case OpCodeOperandKind.imm8sex32: Immediate(ref instruction, i, OpKind.Immediate8to32, (ulong)(sbyte)random.Integer()); break;
                case OpCodeOperandKind.imm8sex64: Immediate(ref instruction, i, OpKind.Immediate8to64, (ulong)(sbyte)random.Integer()); break;
                case OpCodeOperandKind.imm16:
                    immediates++;
                    Immediate(ref instruction, i, OpKind.Immediate16, op.Mnemonic == Mnemonic.Enter ? (ulong)random.Below(512) : (ushort)random.Integer());
                    break;
                case OpCodeOperandKind.imm32: Immediate(ref instruction, i, OpKind.Immediate32, (uint)random.Integer()); break;
                case OpCodeOperandKind.imm32sex64: Immediate(ref instruction, i, OpKind.Immediate32to64, (ulong)(int)random.Integer()); break;
                case OpCodeOperandKind.imm64: Immediate(ref instruction, i, OpKind.Immediate64, random.Integer()); break;
                case OpCodeOperandKind.br32_1 or OpCodeOperandKind.br32_4:
                    instruction.SetOpKind(i, OpKind.NearBranch32);
                    instruction.NearBranch32 = (uint)state.Start;
                    label = _items.Count + 1 + random.Below(4);
                    break;
                case OpCodeOperandKind.br64_1 or OpCodeOperandKind.br64_4:
                    instruction.SetOpKind(i, OpKind.NearBranch64);
                    instruction.NearBranch64 = state.Start;
                    label = _items.Count + 1 + random.Below(4);
                    break;
                case OpCodeOperandKind.seg_rSI:
                    Pointer(6);
                    instruction.SetOpKind(i, compatibility ? OpKind.MemorySegESI : random.Chance(90) ? OpKind.MemorySegRSI : OpKind.MemorySegESI);
                    break;
                case OpCodeOperandKind.es_rDI:
                    Pointer(7);
                    // Both pointers have the same width.
                    instruction.SetOpKind(i, compatibility || (i == 1 ? instruction.Op0Kind : instruction.Op1Kind) == OpKind.MemorySegESI ? OpKind.MemoryESEDI : OpKind.MemoryESRDI);
                    if (i == 0 && op.OpCount == 2 && op.GetOpKind(1) == OpCodeOperandKind.seg_rSI)
                    {
                        bool narrow = compatibility || random.Chance(10);
                        Pointer(6);
                        instruction.SetOpKind(0, narrow ? OpKind.MemoryESEDI : OpKind.MemoryESRDI);
                        instruction.SetOpKind(1, narrow ? OpKind.MemorySegESI : OpKind.MemorySegRSI);
                        i++;
                    }
                    break;
                case OpCodeOperandKind.seg_rDI:
                    Pointer(7);
                    instruction.SetOpKind(i, compatibility ? OpKind.MemorySegEDI : random.Chance(90) ? OpKind.MemorySegRDI : OpKind.MemorySegEDI);
                    break;
                case OpCodeOperandKind.seg_rBX_al:
                    instruction.SetOpKind(i, OpKind.Memory);
                    instruction.MemoryBase = compatibility ? Register.EBX : Register.RBX;
                    instruction.MemoryIndex = Register.AL;
                    break;
                case OpCodeOperandKind.mem_offs:
                    instruction.SetOpKind(i, OpKind.Memory);
                    instruction.MemoryDisplSize = compatibility ? 4 : 8;
                    instruction.MemoryDisplacement64 = Target(op);
                    break;
                case OpCodeOperandKind.mem_vsib32x or OpCodeOperandKind.mem_vsib32y: Gather(ref instruction, i, 1, kind == OpCodeOperandKind.mem_vsib32y); break;
                case OpCodeOperandKind.mem_vsib64x or OpCodeOperandKind.mem_vsib64y: Gather(ref instruction, i, 0, kind == OpCodeOperandKind.mem_vsib64y); break;
                default:
                    if (!memory && kind != OpCodeOperandKind.mem)
                        return false;
                    Memory(ref instruction, i, op);
                    memory = true;
                    break;
            }
        }
        Prefixes(ref instruction, op);
        item = new Item(instruction) { Label = label, Use = label < 0 ? LabelUse.None : LabelUse.Branch };
        return true;
    }

    private static void Immediate(ref Instruction instruction, int operand, OpKind kind, ulong value)
    {
        instruction.SetOpKind(operand, kind);
        instruction.SetImmediate(operand, value);
    }

    private void Prefixes(ref Instruction instruction, OpCodeInfo op)
    {
        bool destination = instruction.OpCount > 0 && instruction.Op0Kind == OpKind.Memory;
        if (op.CanUseLockPrefix && destination && random.Chance(40))
            instruction.HasLockPrefix = true;
        bool repeats = op.CanUseRepPrefix && instruction.IsStringInstruction;
        if (repeats && random.Chance(60))
        {
            if (op.CanUseRepnePrefix && random.Chance(40))
                instruction.HasRepnePrefix = true;
            else
                instruction.HasRepPrefix = true;
            if (!random.Chance(10))
                Load(1, (uint)random.Below(random.Chance(80) ? 12 : 300));
        }
    }

    /// <summary>RSI or RDI for a string instruction.</summary>
    private void Pointer(int register)
    {
        if (!_known[register] && !random.Chance(10))
            Load(register, Layout.Data + (uint)random.Below(Layout.DataSize));
    }

    /// <summary>A register of this kind; null when the operand is none, or is memory this time (then <paramref name="memory"/>).</summary>
    private Register? RegisterOf(OpCodeOperandKind kind, ref bool memory)
    {
        switch (kind)
        {
            case OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem
                or OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem:
                if (random.Chance(50))
                {
                    memory = true;
                    return null;
                }
                break;
        }
        int any = random.Below(Registers);
        return kind switch
        {
            OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_opcode => Gpr8(any),
            OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_reg_mem or OpCodeOperandKind.r16_rm or OpCodeOperandKind.r16_opcode => Register.AX + any,
            OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_reg_mem or OpCodeOperandKind.r32_rm or OpCodeOperandKind.r32_opcode
                or OpCodeOperandKind.r32_vvvv => Gpr32(any),
            OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_reg_mem or OpCodeOperandKind.r64_rm or OpCodeOperandKind.r64_opcode
                or OpCodeOperandKind.r64_vvvv => Register.RAX + any,
            OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm => Register.MM0 + random.Below(8),
            OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm or OpCodeOperandKind.xmm_vvvv or OpCodeOperandKind.xmm_is4
                or OpCodeOperandKind.xmm_is5 => Register.XMM0 + any,
            OpCodeOperandKind.ymm_or_mem or OpCodeOperandKind.ymm_reg or OpCodeOperandKind.ymm_rm or OpCodeOperandKind.ymm_vvvv or OpCodeOperandKind.ymm_is4
                or OpCodeOperandKind.ymm_is5 => Register.YMM0 + any,
            OpCodeOperandKind.seg_reg => Register.ES + random.Below(6),
            OpCodeOperandKind.cr_reg => random.Pick<Register>([Register.CR0, Register.CR2, Register.CR3, Register.CR4]),
            OpCodeOperandKind.dr_reg => Register.DR0 + random.Below(8),
            OpCodeOperandKind.es => Register.ES,
            OpCodeOperandKind.cs => Register.CS,
            OpCodeOperandKind.ss => Register.SS,
            OpCodeOperandKind.ds => Register.DS,
            OpCodeOperandKind.fs => Register.FS,
            OpCodeOperandKind.gs => Register.GS,
            OpCodeOperandKind.al => Register.AL,
            OpCodeOperandKind.cl => Register.CL,
            OpCodeOperandKind.ax => Register.AX,
            OpCodeOperandKind.dx => Register.DX,
            OpCodeOperandKind.eax => Register.EAX,
            OpCodeOperandKind.rax => Register.RAX,
            OpCodeOperandKind.st0 => Register.ST0,
            OpCodeOperandKind.sti_opcode => Register.ST0 + random.Below(8),
            _ => null,
        };
    }

    private Register Gpr8(int number) => number < 4 && random.Chance(40) ? Register.AH + number
        : number is >= 4 and < 8 ? compatibility ? Register.AL + (number & 3) : Register.SPL + (number - 4)
        : number < 4 ? Register.AL + number : Register.R8L + (number - 8);

    /// <summary>An address that an operand of this instruction may well have: mostly in the data pages, mostly aligned.</summary>
    private uint Target(OpCodeInfo op)
    {
        bool xsave = op.MemorySize is MemorySize.Xsave or MemorySize.Xsave64;
        int size = xsave ? Layout.XsaveSize : Math.Max(op.MemorySize.GetSize(), 1);
        uint at = random.Below(100) switch
        {
            < 72 => (uint)random.Below(Layout.WritableSize - 64),
            < 80 => (uint)(Layout.Page - random.Below(size + 1)),
            < 88 => (uint)(Layout.WritableSize + random.Below(Layout.Page - 64)),
            < 91 => (uint)(Layout.WritableSize - random.Below(size + 1)),
            < 95 => (uint)(Layout.DataSize - random.Below(size + 1)),
            < 97 => (uint)-random.Between(0, size + 1),
            _ => Layout.Stack - Layout.Data + (uint)random.Below(Layout.StackSize),
        };
        if (random.Chance(size >= 16 ? 85 : 30))
            at &= ~(xsave ? 63u : size > 64 ? 15u : (uint)size - 1);
        return Layout.Data + at;
    }

    private void Memory(ref Instruction instruction, int operand, OpCodeInfo op)
    {
        instruction.SetOpKind(operand, OpKind.Memory);
        ulong target = Target(op);
        if (random.Chance(8))
        {
            bool fs = random.Chance(50);
            instruction.SegmentPrefix = fs ? Register.FS : Register.GS;
            target -= fs ? state.FsBase : state.GsBase;
        }
        else if (random.Chance(3))
            instruction.SegmentPrefix = random.Pick<Register>([Register.ES, Register.CS, Register.SS, Register.DS]);
        bool narrow = compatibility || random.Chance(8);
        Register first = narrow ? Register.EAX : Register.RAX;
        if (!compatibility && !narrow && random.Chance(15))
        {
            instruction.MemoryBase = Register.RIP;
            instruction.MemoryDisplSize = 4;
            instruction.MemoryDisplacement64 = target;
            return;
        }
        ulong displacement = target;
        if (random.Chance(70))
        {
            int register = Known();
            instruction.MemoryBase = first + register;
            displacement -= narrow ? (uint)_values[register] : _values[register];
        }
        if (random.Chance(35))
        {
            int register = Known();
            if (register != 4)
            {
                instruction.MemoryIndex = first + register;
                instruction.MemoryIndexScale = 1 << random.Below(4);
                displacement -= (narrow ? (uint)_values[register] : _values[register]) * (ulong)instruction.MemoryIndexScale;
            }
        }
        bool plain = instruction.MemoryBase == Register.None && instruction.MemoryIndex == Register.None;
        instruction.MemoryDisplSize = displacement == 0 && !plain ? 0 : (long)displacement == (sbyte)displacement && !plain && random.Chance(70) ? 1 : narrow ? 4 : 8;
        if (narrow)
            displacement = instruction.MemoryDisplSize == 1 ? displacement & 0xFFFF_FFFF : (uint)displacement;
        else
            displacement = (ulong)(int)displacement;
        instruction.MemoryDisplacement64 = displacement;
    }

    /// <summary>A register whose value is known, if there is one.</summary>
    private int Known()
    {
        int register = random.Below(Registers);
        for (int i = 0; i < Registers && !random.Chance(3); i++)
        {
            ulong value = _values[register];
            // With a base that is far away no displacement helps.
            if (_known[register] && (compatibility || value < 0x7000_0000 || value > 0xFFFF_FFFF_C000_0000))
                return register;
            register = (register + 1) % Registers;
        }
        return register;
    }

    private void Gather(ref Instruction instruction, int operand, int kind, bool wide)
    {
        instruction.SetOpKind(operand, OpKind.Memory);
        int register = _indices[kind] && random.Chance(90) ? kind + 6 : random.Below(Registers);
        instruction.MemoryIndex = (wide ? Register.YMM0 : Register.XMM0) + register;
        instruction.MemoryIndexScale = 1 << random.Below(4);
        int at = Known();
        instruction.MemoryBase = (compatibility ? Register.EAX : Register.RAX) + at;
        ulong target = Layout.Data + (ulong)random.Between(500, random.Chance(80) ? Layout.WritableSize : Layout.DataSize);
        instruction.MemoryDisplSize = compatibility ? 4 : 8;
        instruction.MemoryDisplacement64 = compatibility ? (uint)(target - _values[at]) : (ulong)(int)(target - _values[at]);
    }
}
