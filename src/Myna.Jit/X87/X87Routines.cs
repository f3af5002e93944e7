using Myna.Host;
using Myna.Jit.X64;

namespace Myna.Jit.X87;

/// <summary>Offsets in the guest's register structure of its x87 state.</summary>
/// <param name="Registers">Eight data registers of 16 bytes by physical number; bits 127:80 are zero.</param>
/// <param name="Control">16 bits.</param>
/// <param name="Status">16 bits, TOP included.</param>
/// <param name="Empty">8 bits, one for each physical register.</param>
/// <param name="Opcode">16 bits: the last instruction's.</param>
/// <param name="CodeSelector">16 bits: the last instruction's.</param>
/// <param name="CurrentCodeSelector">16 bits.</param>
/// <param name="Scratch">16 bytes: a memory operand on its way.</param>
/// <param name="ScratchStatus">16 bits.</param>
public readonly record struct X87Layout(int Registers, int Control, int Status, int Empty, int Opcode, int CodeSelector, int CurrentCodeSelector, int Scratch, int ScratchStatus);

/// <summary>
/// x87 instructions as routines that generated code calls (<see cref="Ir.IrBuilder.CallRoutine"/>): they execute one instruction by the host's FPU on
/// the guest's registers in memory. Each begins with a look whether that is the plain case: all exceptions masked, registers full and
/// empty as they should be. If not it changes nothing and answers a negative number.
/// </summary>
/// <remarks>
/// The host's exception flags are sticky and all of them go into the guest's status: whoever clears or replaces the guest's must call
/// <see cref="HostX87.ClearExceptions"/>.
/// </remarks>
public sealed unsafe class X87Routines(X87Layout layout)
{
    private const int MemorySize = 1 << 20, LongestRoutine = 320, HostControlOffset = 0, FirstRoutine = 64;
    private const int C1 = 0x200, Conditions = 0x4700, Exceptions = 0x3F, TopMask = 0x3800;
    private const int Rax = Reg.Rax, Rcx = Reg.Rcx, Rdx = Reg.Rdx;

    private readonly Lock _lock = new();
    // By opcode; then those that complete a store. 0: not made yet, -1: there is none.
    private readonly nint[] _routines = new nint[4096];
    private readonly Assembler _a = new();
    private ExecutableMemory? _memory;
    private byte* _next;
    private byte* _fail;

    /// <summary>The routine of an instruction, 0 when it has none.</summary>
    /// <param name="opcode">Bits 2:0 of the first byte, and the ModRM byte.</param>
    /// <param name="complete">Of a store: what follows when memory has been written.</param>
    public nint Get(int opcode, bool complete = false)
    {
        int key = opcode & 0x7FF;
        ref nint routine = ref _routines[complete ? key | 0x800 : key];
        nint known = Volatile.Read(ref routine);
        if (known == 0)
        {
            lock (_lock)
            {
                known = Make(key, complete);
                Volatile.Write(ref routine, known);
            }
        }
        return known == -1 ? 0 : known;
    }

    private nint Make(int opcode, bool complete)
    {
        if (!HostX87.IsAvailable)
            return -1;
        if (_memory is null)
        {
            _memory = new ExecutableMemory(MemorySize);
            // SAFETY: the mapping's start: the host's control word, then routines.
            *(ushort*)((byte*)_memory.Address + HostControlOffset) = 0x37F;
            _next = (byte*)_memory.Address + FirstRoutine;
        }
        // SAFETY: a routine is shorter than LongestRoutine, and there are fewer than MemorySize / LongestRoutine.
        byte* start = _next;
        if (start + LongestRoutine > (byte*)_memory.Address + MemorySize)
            return -1;
        _a.Reset(start, start + LongestRoutine);
        _fail = start;
        _a.MovImm(Rax, ulong.MaxValue);
        _a.Ret();
        byte* entry = _a.P;
        if (!(complete ? WriteCompletion(opcode) : (opcode & 0xC0) == 0xC0 ? WriteRegister(opcode) : WriteMemory(opcode)))
            return -1;
        _a.Ret();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_a.Offset, LongestRoutine);
        _next = (byte*)(((nint)_a.P + 15) & ~15);
        return (nint)entry;
    }

    // ---- Pieces. rcx is TOP times 16 between Begin and End. ----

    private static Mem At(int offset) => new(Reg.Rbp, offset - 128);
    private Mem St0(int byteOffset = 0) => new(Reg.Rbp, layout.Registers - 128 + byteOffset, Rcx);
    private Mem Other(int byteOffset = 0) => new(Reg.Rbp, layout.Registers - 128 + byteOffset, Rdx);

    private void X87(int opcode, int modRm)
    {
        _a.Byte(opcode);
        _a.Byte(modRm);
    }

    private void X87(int opcode, int extension, in Mem m) => _a.RM(opcode, extension, m, w: false);
    private void Fld(in Mem m) => X87(0xDB, 5, m);
    private void Fstp(in Mem m) => X87(0xDB, 7, m);
    private void Drop() => X87(0xDD, 0xD8);
    private void Fnstsw() => X87(0xDF, 0xE0);
    private void GuestControl() => X87(0xD9, 5, At(layout.Control));

    private void HostControl()
    {
        X87(0xD9, 0x2D);
        _a.Dword((int)((byte*)_memory!.Address + HostControlOffset - (_a.P + 4)));
    }

    private void Load16(int register, int offset) => _a.RM(Assembler.Esc | 0xB7, register, At(offset), w: false);
    private void Load8(int register, int offset) => _a.RM(Assembler.Esc | 0xB6, register, At(offset), w: false);

    private void Store16(int offset, int register)
    {
        _a.Byte(0x66);
        _a.Store32(At(offset), register);
    }

    private void FailIf(CC cc)
    {
        _a.Jcc(cc);
        // SAFETY: patches the displacement just written.
        *(int*)(_a.P - 4) = (int)(_fail - _a.P);
    }

    /// <param name="full">Bit i: ST(i) must not be empty.</param>
    /// <param name="push">ST(7) must be empty.</param>
    private void Begin(int full, bool push = false)
    {
        Load16(Rax, layout.Control);
        _a.AluImm(Assembler.And, Rax, Exceptions, w: false);
        _a.AluImm(Assembler.Cmp, Rax, Exceptions, w: false);
        FailIf(CC.NE);
        LoadTop();
        Load8(Rdx, layout.Empty);
        _a.RR(0xD2, 1, Rdx, w: false); // ror dl, cl
        if (full != 0)
        {
            TestLow(Rdx, full);
            FailIf(CC.NE);
        }
        if (push)
        {
            TestLow(Rdx, 0x80);
            FailIf(CC.E);
        }
        _a.ShiftImm(4, Rcx, 4, w: false);
    }

    private void TestLow(int register, int mask)
    {
        _a.RR(0xF6, 0, register, w: false);
        _a.Byte(mask);
    }

    private void LoadTop()
    {
        Load16(Rcx, layout.Status);
        _a.ShiftImm(5, Rcx, 11, w: false);
        _a.AluImm(Assembler.And, Rcx, 7, w: false);
    }

    // rdx selects ST(i).
    private void Select(int i)
    {
        _a.Lea(Rdx, new Mem(Rcx, i * 16), w: false);
        _a.AluImm(Assembler.And, Rdx, 0x70, w: false);
    }

    /// <summary>Takes over the status in eax, changes the stack, remembers the instruction, answers 0.</summary>
    /// <param name="mask">Condition codes that are replaced.</param>
    /// <param name="stack">Registers popped, -1 for one pushed.</param>
    private void End(int opcode, int mask, int stack)
    {
        if (mask == 0)
        {
            Load16(Rdx, layout.Status);
        }
        else
        {
            _a.AluImm(Assembler.And, Rax, Exceptions | mask, w: false);
            Load16(Rdx, layout.Status);
            _a.AluImm(Assembler.And, Rdx, ~mask & 0xFFFF, w: false);
            _a.Alu(Assembler.Or, Rdx, Rax, w: false);
        }
        if (stack != 0)
        {
            _a.Lea(Rax, new Mem(Rdx, stack << 11), w: false);
            _a.AluImm(Assembler.And, Rax, TopMask, w: false);
            _a.AluImm(Assembler.And, Rdx, ~TopMask, w: false);
            _a.Alu(Assembler.Or, Rdx, Rax, w: false);
        }
        Store16(layout.Status, Rdx);
        if (stack != 0)
        {
            _a.ShiftImm(5, Rcx, 4, w: false);
            _a.MovImm(Rax, stack < 0 ? 0x7FUL : (1UL << stack) - 1);
            RotateIntoEmpty(or: stack > 0);
        }
        _a.Byte(0x66);
        _a.RM(0xC7, 0, At(layout.Opcode), w: false);
        _a.Byte(opcode);
        _a.Byte(opcode >> 8);
        if ((opcode & 0xC0) == 0xC0)
        {
            Load16(Rax, layout.CurrentCodeSelector);
            Store16(layout.CodeSelector, Rax);
        }
        _a.Alu(Assembler.Xor, Rax, Rax, w: false);
    }

    // rcx is TOP.
    private void RotateIntoEmpty(bool or)
    {
        _a.RR(0xD2, 0, Rax, w: false); // rol al, cl
        _a.RM(or ? 0x08 : 0x20, Rax, At(layout.Empty), w: false);
    }

    private void MarkFull(int i)
    {
        _a.ShiftImm(5, Rcx, 4, w: false);
        _a.MovImm(Rax, (ulong)(~(1 << i) & 0xFF));
        RotateIntoEmpty(or: false);
        _a.ShiftImm(4, Rcx, 4, w: false);
    }

    private void NoStatus() => _a.Alu(Assembler.Xor, Rax, Rax, w: false);
    private void Push(in Mem m) => _a.RM(0xFF, 6, m, w: false);
    private void Pop(in Mem m) => _a.RM(0x8F, 0, m, w: false);

    private void Copy(in Mem fromLow, in Mem fromHigh, in Mem toLow, in Mem toHigh)
    {
        _a.Load(Rax, fromLow);
        _a.Store(toLow, Rax);
        _a.Load(Rax, fromHigh);
        _a.Store(toHigh, Rax);
    }

    // ---- Instructions. ----

    private bool WriteRegister(int opcode)
    {
        int first = 0xD8 | opcode >> 8, modRm = opcode & 0xFF, extension = modRm >> 3 & 7, i = modRm & 7;
        switch (first)
        {
            case 0xD8 when extension is 2 or 3:
                Compare(opcode, i, 0xD8, 0xD1, extension - 2);
                return true;
            case 0xDE when modRm == 0xD9:
                Compare(opcode, 1, 0xD8, 0xD1, 2);
                return true;
            case 0xDD when extension is 4 or 5:
                Compare(opcode, i, 0xDD, 0xE1, extension - 4);
                return true;
            case 0xDA when modRm == 0xE9:
                Compare(opcode, 1, 0xDD, 0xE1, 2);
                return true;
            case 0xD8:
            case 0xDC or 0xDE when extension is not (2 or 3):
                Arithmetic(opcode, first, extension, i);
                return true;
            case 0xDB or 0xDF when extension is 5 or 6:
                CompareFlags(opcode, i, extension == 5 ? 0xE9 : 0xF1, first == 0xDF ? 1 : 0);
                return true;
            case 0xDA or 0xDB when extension < 4:
                ConditionalMove(opcode, i);
                return true;
            case 0xDD when extension is 2 or 3:
                StoreRegister(opcode, i, extension - 2);
                return true;
            case 0xD9:
                return WriteD9(opcode, modRm, extension, i);
            default:
                return false;
        }
    }

    private bool WriteD9(int opcode, int modRm, int extension, int i)
    {
        switch (modRm)
        {
            case < 0xC8:
                Begin(1 << i, push: true);
                Select(i);
                Push(Other());
                Push(Other(8));
                Select(-1);
                Pop(Other(8));
                Pop(Other());
                NoStatus();
                End(opcode, C1, -1);
                return true;
            case < 0xD0:
                Begin(1 | 1 << i);
                Select(i);
                Push(St0());
                Push(St0(8));
                Copy(Other(), Other(8), St0(), St0(8));
                Pop(Other(8));
                Pop(Other());
                NoStatus();
                End(opcode, C1, 0);
                return true;
            case 0xE0 or 0xE1:
                Begin(1);
                _a.RM(0x80, modRm == 0xE0 ? Assembler.Xor : Assembler.And, St0(9), w: false);
                _a.Byte(modRm == 0xE0 ? 0x80 : 0x7F);
                NoStatus();
                End(opcode, C1, 0);
                return true;
            case 0xE4:
                Begin(1);
                GuestControl();
                Fld(St0());
                X87(0xD9, 0xE4);
                Fnstsw();
                Drop();
                HostControl();
                End(opcode, Conditions, 0);
                return true;
            case >= 0xE8 and <= 0xEE:
                Begin(0, push: true);
                Select(-1);
                GuestControl();
                X87(0xD9, modRm);
                Fnstsw();
                Fstp(Other());
                HostControl();
                End(opcode, C1, -1);
                return true;
            case 0xFA or 0xFC:
                Begin(1);
                GuestControl();
                Fld(St0());
                X87(0xD9, modRm);
                Fnstsw();
                Fstp(St0());
                HostControl();
                End(opcode, C1, 0);
                return true;
            default:
                return false;
        }
    }

    private void Arithmetic(int opcode, int first, int extension, int i)
    {
        Begin(1 | 1 << i);
        Select(i);
        GuestControl();
        Fld(Other());
        Fld(St0());
        bool toOther = first != 0xD8;
        X87(toOther ? 0xDC : 0xD8, 0xC1 | extension << 3);
        Fnstsw();
        if (toOther)
        {
            Drop();
            Fstp(Other());
        }
        else
        {
            Fstp(St0());
            Drop();
        }
        HostControl();
        End(opcode, C1, first == 0xDE ? 1 : 0);
    }

    private void Compare(int opcode, int i, int hostOpcode, int hostModRm, int pops)
    {
        Begin(1 | 1 << i);
        Select(i);
        Fld(Other());
        Fld(St0());
        X87(hostOpcode, hostModRm);
        Fnstsw();
        Drop();
        Drop();
        End(opcode, Conditions, pops);
    }

    // Answers the flags; C1 stays.
    private void CompareFlags(int opcode, int i, int hostModRm, int pops)
    {
        Begin(1 | 1 << i);
        Select(i);
        Fld(Other());
        Fld(St0());
        X87(0xDB, hostModRm);
        _a.Byte(0x9C); // pushfq
        Fnstsw();
        Drop();
        Drop();
        _a.AluImm(Assembler.And, Rax, Exceptions, w: false);
        Load16(Rdx, layout.Status);
        _a.Alu(Assembler.Or, Rdx, Rax, w: false);
        Store16(layout.Status, Rdx);
        End(opcode, 0, pops);
        _a.Pop(Rax);
        _a.AluImm(Assembler.And, Rax, 0x45, w: false);
    }

    // The argument says whether to move.
    private void ConditionalMove(int opcode, int i)
    {
        _a.Store(At(layout.Scratch), Rax);
        Begin(1 | 1 << i);
        Select(i);
        _a.Load(Rax, At(layout.Scratch));
        _a.Test(Rax, Rax);
        _a.Jcc(CC.E);
        byte* skip = _a.P;
        Copy(Other(), Other(8), St0(), St0(8));
        // SAFETY: patches the displacement written above.
        *(int*)(skip - 4) = (int)(_a.P - skip);
        End(opcode, 0, 0);
    }

    private void StoreRegister(int opcode, int i, int pops)
    {
        Begin(1);
        Select(i);
        Copy(St0(), St0(8), Other(), Other(8));
        MarkFull(i);
        NoStatus();
        End(opcode, C1, pops);
    }

    private bool WriteMemory(int opcode)
    {
        int first = 0xD8 | opcode >> 8, extension = opcode >> 3 & 7;
        switch (first, extension)
        {
            case (0xD8 or 0xDA or 0xDC or 0xDE, _):
                bool compares = extension is 2 or 3;
                _a.Store(At(layout.Scratch), Rax);
                Begin(1);
                GuestControl();
                Fld(St0());
                X87(first, compares ? 2 : extension, At(layout.Scratch));
                Fnstsw();
                if (compares)
                    Drop();
                else
                    Fstp(St0());
                HostControl();
                End(opcode, compares ? Conditions : C1, extension == 3 ? 1 : 0);
                return true;
            case (0xD9 or 0xDB or 0xDD or 0xDF, 0):
            case (0xDF, 5):
                _a.Store(At(layout.Scratch), Rax);
                Begin(0, push: true);
                Select(-1);
                GuestControl();
                X87(first, extension, At(layout.Scratch));
                Fnstsw();
                Fstp(Other());
                HostControl();
                End(opcode, C1, -1);
                return true;
            case (0xDB, 5):
                // The upper 16 bits lie there already.
                _a.Store(At(layout.Scratch), Rax);
                Begin(0, push: true);
                Select(-1);
                Copy(At(layout.Scratch), At(layout.Scratch + 8), Other(), Other(8));
                NoStatus();
                End(opcode, C1, -1);
                return true;
            case (0xD9, 5):
                LoadControl();
                return true;
            case (0xDB, 7):
                Begin(1);
                Copy(St0(), St0(8), At(layout.Scratch), At(layout.Scratch + 8));
                NoStatus();
                Store16(layout.ScratchStatus, Rax);
                return true;
            case (0xD9 or 0xDD, 2 or 3):
            case (0xDB or 0xDF, 1 or 2 or 3):
            case (0xDD, 1):
            case (0xDF, 7):
                Begin(1);
                GuestControl();
                Fld(St0());
                X87(first, extension == 2 ? 3 : extension, At(layout.Scratch));
                Fnstsw();
                Store16(layout.ScratchStatus, Rax);
                HostControl();
                NoStatus();
                return true;
            default:
                return false;
        }
    }

    private bool WriteCompletion(int opcode)
    {
        LoadTop();
        _a.ShiftImm(4, Rcx, 4, w: false);
        Load16(Rax, layout.ScratchStatus);
        End(opcode, C1, (opcode >> 3 & 7) == 2 ? 0 : 1);
        return true;
    }

    // A pending exception, also one that the new masks make pending, is not the plain case.
    private void LoadControl()
    {
        Load16(Rdx, layout.Status);
        TestLow(Rdx, 0x80);
        FailIf(CC.NE);
        _a.AluImm(Assembler.And, Rax, 0x1F3F, w: false);
        _a.AluImm(Assembler.Or, Rax, 0x40, w: false);
        _a.Mov32(Rcx, Rax);
        _a.RR(0xF7, 2, Rcx, w: false); // not ecx
        _a.Alu(Assembler.And, Rcx, Rdx, w: false);
        TestLow(Rcx, Exceptions);
        FailIf(CC.NE);
        Store16(layout.Control, Rax);
        _a.Alu(Assembler.Xor, Rax, Rax, w: false);
    }
}
