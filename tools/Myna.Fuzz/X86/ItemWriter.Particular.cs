using Iced.Intel;

namespace Myna.Fuzz.X86;

/// <summary>
/// Instructions whose results are in part the processor's own: instructions behind them replace that part, so that what remains can be compared.
/// Others need operands that mean something.
/// </summary>
internal sealed partial class ItemWriter
{
    // State components that both sides have: x87, SSE, AVX.
    private const int Components = 7;

    private static bool IsParticular(Mnemonic mnemonic) => mnemonic is Mnemonic.Rdtsc or Mnemonic.Rdtscp or Mnemonic.Rdpid or Mnemonic.Cpuid or Mnemonic.Rdrand or Mnemonic.Rdseed
        or Mnemonic.Xgetbv or Mnemonic.Lar or Mnemonic.Lsl or Mnemonic.Verr or Mnemonic.Verw || IsX87Image(mnemonic) || IsExtendedImage(mnemonic);

    private static bool IsX87Image(Mnemonic mnemonic) => mnemonic is Mnemonic.Fnstenv or Mnemonic.Fstenv or Mnemonic.Fnsave or Mnemonic.Fsave;

    private static bool IsExtendedImage(Mnemonic mnemonic) => mnemonic is Mnemonic.Fxsave or Mnemonic.Fxsave64 || IsXsave(mnemonic) || IsXrstor(mnemonic);

    private static bool IsXsave(Mnemonic mnemonic) => mnemonic is Mnemonic.Xsave or Mnemonic.Xsave64 or Mnemonic.Xsavec or Mnemonic.Xsavec64 or Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64;

    private static bool IsXrstor(Mnemonic mnemonic) => mnemonic is Mnemonic.Xrstor or Mnemonic.Xrstor64;

    private bool TryPutParticular(OpCodeInfo op)
    {
        int first = _items.Count;
        bool done = TryPutParts(op);
        for (int i = first + 1; i < _items.Count; i++)
            _items[i] = _items[i] with { Joined = true };
        return done;
    }

    private bool TryPutParts(OpCodeInfo op)
    {
        switch (op.Mnemonic)
        {
            case Mnemonic.Lar or Mnemonic.Lsl or Mnemonic.Verr or Mnemonic.Verw:
                return TryPutDescriptor(op);
            case Mnemonic.Xgetbv:
                Load(1, random.Chance(90) ? 0u : (uint)random.Below(4));
                break;
        }
        if (IsXsave(op.Mnemonic) || IsXrstor(op.Mnemonic))
        {
            Load(0, (uint)(random.Chance(50) ? Components : random.Below(Components + 1)));
            Load(2, 0);
            if (!_known[0] || !_known[2] || _values[0] > Components || _values[2] != 0)
                return false;
        }
        // A component that has its initial values may or may not be in use (Intel SDM volume 1, 13.6).
        if (IsXsave(op.Mnemonic) || op.Mnemonic == Mnemonic.Xgetbv)
            Put(new Item(Instruction.Create(Code.VEX_Vpcmpeqd_ymm_ymm_ymmm256, Register.YMM0, Register.YMM0, Register.YMM0)));
        if (!TryMake(op, out Item item))
            return false;
        Instruction instruction = item.Instruction;
        // What is to be replaced lies where the instruction's registers said before it, and they stay.
        if (IsXrstor(op.Mnemonic))
            Header(in instruction);
        if (!Put(item))
            return false;
        switch (op.Mnemonic)
        {
            case Mnemonic.Rdtsc: HideRegisters(Register.EAX, Register.EDX); break;
            case Mnemonic.Rdtscp: HideRegisters(Register.EAX, Register.EDX, Register.ECX); break;
            case Mnemonic.Cpuid: HideRegisters(Register.EAX, Register.EBX, Register.ECX, Register.EDX); break;
            case Mnemonic.Rdpid or Mnemonic.Rdrand or Mnemonic.Rdseed: HideRegisters(instruction.Op0Register); break;
            case Mnemonic.Xgetbv: Hide(Instruction.Create(Code.And_rm32_imm8, Register.EAX, Components)); break;
        }
        if (IsX87Image(op.Mnemonic))
            HidePointers(in instruction);
        else if (IsExtendedImage(op.Mnemonic) && !IsXrstor(op.Mnemonic))
            HideLegacy(in instruction);
        return true;
    }

    private void Hide(Instruction instruction) => Put(new Item(instruction) { Hides = true });

    // As much as was written; the upper half of a 64-bit register, which 32-bit results clear, comes to the lower one and stays.
    private void HideRegisters(params ReadOnlySpan<Register> registers)
    {
        foreach (Register register in registers)
        {
            Register full = register.GetFullRegister();
            int number = full - Register.RAX;
            if (register.GetSize() == 2)
                Hide(Instruction.Create(Code.Mov_r16_imm16, register, 0x5A5A));
            else if (compatibility || register.GetSize() == 8)
                Hide(Instruction.Create(Code.Mov_r32_imm32, Gpr32(number), 0x5A5A_5A5Au));
            else
            {
                Hide(Instruction.Create(Code.VEX_Rorx_r64_rm64_imm8, full, full, 32));
                Hide(Instruction.Create(Code.Mov_r32_rm32, Gpr32(number), Gpr32(number)));
            }
        }
    }

    /// <summary>Selectors that Linux and the emulated machine have the same descriptors for, or none.</summary>
    private bool TryPutDescriptor(OpCodeInfo op)
    {
        if (!TryMake(op, out Item item))
            return false;
        Instruction instruction = item.Instruction;
        int last = instruction.OpCount - 1;
        if (instruction.GetOpKind(last) != OpKind.Register || instruction.GetOpRegister(last).GetFullRegister() == Register.RSP)
            return false;
        Load(instruction.GetOpRegister(last).GetFullRegister() - Register.RAX, (uint)random.Pick<int>([0, 3, 0x10, 0x18, 0x20, 0x23, 0x2B, 0x33, 0x28, 0x30, 0x40, 0x43, 0x80, 0xFFF8]));
        return Put(item);
    }

    /// <summary>A header that XRSTOR may well accept, and an MXCSR.</summary>
    private void Header(in Instruction image)
    {
        if (random.Chance(10))
            return;
        bool compacted = random.Chance(30);
        int layout = random.Chance(70) ? Components : random.Below(Components + 1);
        int present = random.Below(Components + 1) & (compacted && !random.Chance(10) ? layout : Components);
        Put(new Item(Store(in image, 24, 0x1F80u | (random.Chance(50) ? 0 : (uint)random.Below(0x40)))));
        for (int at = 512; at < 576; at += 4)
        {
            uint value = at switch { 512 => (uint)present, 520 => compacted ? (uint)layout : 0, 524 => compacted ? 0x8000_0000 : 0, _ => 0 };
            Put(new Item(Store(in image, at, value)));
        }
    }

    // Address and opcode of the last x87 instruction, and of its operand: processors keep them in different ways.
    private void HidePointers(in Instruction image)
    {
        bool wide = image.Code is Code.Fnstenv_m28byte or Code.Fstenv_m28byte or Code.Fnsave_m108byte or Code.Fsave_m108byte;
        for (int at = wide ? 12 : 6; at < (wide ? 28 : 14); at += 2)
            Hide(Store16(in image, at, 0x5A5A));
    }

    // The same in the format of FXSAVE, and the mask of MXCSR's bits.
    private void HideLegacy(in Instruction image)
    {
        Hide(Store16(in image, 6, 0x5A5A));
        foreach (int at in (ReadOnlySpan<int>)[8, 12, 16, 20, 28])
            Hide(Store(in image, at, 0x5A5A_5A5A));
    }

    private Instruction Store(in Instruction image, int offset, uint value)
    {
        Instruction store = At(in image, offset, Code.Mov_rm32_imm32);
        store.Op1Kind = OpKind.Immediate32;
        store.Immediate32 = value;
        return store;
    }

    private Instruction Store16(in Instruction image, int offset, ushort value)
    {
        Instruction store = At(in image, offset, Code.Mov_rm16_imm16);
        store.Op1Kind = OpKind.Immediate16;
        store.Immediate16 = value;
        return store;
    }

    /// <summary>An instruction whose first operand lies so many bytes behind another's memory operand.</summary>
    private Instruction At(in Instruction image, int offset, Code code)
    {
        Instruction instruction = default;
        instruction.Code = code;
        instruction.Op0Kind = OpKind.Memory;
        instruction.SegmentPrefix = image.SegmentPrefix;
        instruction.MemoryBase = image.MemoryBase;
        instruction.MemoryIndex = image.MemoryIndex;
        instruction.MemoryIndexScale = image.MemoryIndexScale;
        ulong displacement = image.MemoryDisplacement64 + (ulong)offset;
        if (image.MemoryBase == Register.RIP)
        {
            instruction.MemoryDisplSize = 4;
            instruction.MemoryDisplacement64 = displacement;
            return instruction;
        }
        bool narrow = compatibility || image.MemoryBase.GetSize() == 4 || image.MemoryIndex.GetSize() == 4;
        instruction.MemoryDisplSize = narrow ? 4 : 8;
        instruction.MemoryDisplacement64 = narrow ? (uint)displacement : (ulong)(int)displacement;
        return instruction;
    }
}
