using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Myna.Host;

namespace Myna.Jit.X87;

/// <summary>
/// x87 operations by the host's own FPU, bit-exact with a processor by construction. Each operation is a small routine that
/// loads the operands, executes the instruction under the wanted control word, and stores results and status. The
/// host thread's FPU is left as the ABI wants it.
/// LIMIT: on other hosts, and without executable memory, there is no x87 arithmetic.
/// </summary>
public static unsafe class HostX87
{
    private const int A = 0, B = 16, Memory = 32, R0 = 48, R1 = 64, R2 = 80, Control = 96, Status = 98, HostControl = 100, Flags = 104;
    private const int RoutineSize = 128;

    // By bits 10:0 of the encoding, as the FPU's opcode register has them. Built once; the mapping lives as long as the process.
    private static readonly nint[] s_routines = new nint[2048];
    private static nint s_clear;
    private static readonly ExecutableMemory? s_memory = Build();

    /// <summary>Whether this host can: x86-64 that gives executable memory.</summary>
    public static bool IsAvailable => s_memory is not null;

    /// <summary>Executes one operation.</summary>
    /// <exception cref="NotSupportedException"><see cref="IsAvailable"/> is false.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Execute(X87Operation operation, ref X87Operands operands)
    {
        if (s_memory is null)
            throw new NotSupportedException("x87 instructions need an x86-64 host that gives executable memory");
        operands.HostControl = 0x37F;
        // SAFETY: every operation of the enumeration has a routine, which touches nothing but the structure, pinned here;
        // it is short and never blocks, so it needs no GC transition.
        fixed (X87Operands* p = &operands)
            ((delegate* unmanaged[SuppressGCTransition]<X87Operands*, void>)s_routines[(int)operation & 0x7FF])(p);
    }

    /// <summary>
    /// Clears the host FPU's exception flags. To be called when the guest's are cleared or replaced, and before guest code runs on a thread, because
    /// what <see cref="X87Routines"/> execute adds to them. Does nothing where <see cref="IsAvailable"/> is false.
    /// </summary>
    public static void ClearExceptions()
    {
        // SAFETY: FNCLEX, RET.
        if (IsAvailable)
            ((delegate* unmanaged[SuppressGCTransition]<void>)s_clear)();
    }

    private static ExecutableMemory? Build()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return null;
        X87Operation[] operations = Enum.GetValues<X87Operation>();
        ExecutableMemory memory;
        try
        {
            memory = new ExecutableMemory(((operations.Length * RoutineSize) + 4095) & ~4095);
        }
        catch (IOException)
        {
            return null;
        }
        // SAFETY: there are RoutineSize bytes for each operation, and no routine is longer (asserted below).
        byte* p = (byte*)memory.Address;
        foreach (X87Operation operation in operations)
        {
            var writer = new Writer(p);
            if (operation == X87Operation.None)
            {
                s_clear = (nint)p;
                writer.Clear();
                p += RoutineSize;
                continue;
            }
            s_routines[(int)operation & 0x7FF] = (nint)p;
            writer.Routine(operation);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(writer.P - p, RoutineSize);
            p += RoutineSize;
        }
        return memory;
    }

    private ref struct Writer(byte* p)
    {
        public byte* P = p;

        private void Emit(params ReadOnlySpan<byte> code)
        {
            // SAFETY: see Build.
            code.CopyTo(new Span<byte>(P, code.Length));
            P += code.Length;
        }

        /// <summary>An x87 instruction with the operand [rdi + offset].</summary>
        private void Operand(int opcode, int extension, int offset) => Emit((byte)opcode, (byte)(0x47 | extension << 3), (byte)offset);

        private void LoadExtended(int offset) => Operand(0xDB, 5, offset);
        private void StoreExtended(int offset) => Operand(0xDB, 7, offset);
        private void ClearExceptions() => Emit(0xDB, 0xE2);
        private void LoadControl(int offset) => Operand(0xD9, 5, offset);
        private void Initialize() => Emit(0xDB, 0xE3);
        private void Return() => Emit(0xC3);

        public void Clear()
        {
            ClearExceptions();
            Return();
        }

        public void Routine(X87Operation operation)
        {
            int opcode = (int)operation >> 8, modRm = (int)operation & 0xFF;
            bool memory = modRm < 0xC0;
            int loads = Loads(operation), results = Results(operation);
            bool unbalanced = IsUnbalanced(operation);
            if (unbalanced)
                Initialize();
            else
                ClearExceptions();
            LoadControl(Control);
            if (loads == 2)
                LoadExtended(B);
            if (loads >= 1)
                LoadExtended(A);
            if (memory)
                Operand(opcode, modRm >> 3, Memory);
            else
                Emit((byte)opcode, (byte)modRm);
            if (operation is X87Operation.CompareFlags or X87Operation.CompareQuietFlags)
                Emit(0x9C, 0x8F, 0x47, Flags); // pushfq; pop [rdi + Flags]
            Emit(0xDF, 0xE0); // fnstsw ax
            Emit(0x66, 0x89, 0x47, Status);
            if (unbalanced)
            {
                // Whatever lies on the stack now: the status word says how much; what is not there is stored as a NaN.
                ClearExceptions();
                LoadControl(HostControl);
                StoreExtended(R0);
                StoreExtended(R1);
                StoreExtended(R2);
                // Storing what is not there has set invalid, which the next operation in generated code would find.
                ClearExceptions();
                Emit(0x0F, 0x77); // emms: all registers are empty
                Return();
                return;
            }
            // With an exception pending a waiting instruction would trap, and a pop may not have happened.
            Emit(0xA8, 0x80); // test al, ES
            byte* jump = P;
            Emit(0x75, 0); // jnz
            LoadControl(HostControl);
            Store(results);
            Return();
            // SAFETY: inside the routine.
            jump[1] = (byte)(P - (jump + 2));
            ClearExceptions();
            LoadControl(HostControl);
            StoreExtended(R0);
            StoreExtended(R1);
            Initialize();
            Return();
        }

        private void Store(int results)
        {
            if (results >= 1)
                StoreExtended(R0);
            if (results == 2)
                StoreExtended(R1);
        }
    }

    private static bool IsUnbalanced(X87Operation operation) => operation
        is X87Operation.YLog2X or X87Operation.ArcTangent or X87Operation.YLog2XPlus1
        or X87Operation.Tangent or X87Operation.Extract or X87Operation.SineCosine;

    private static bool IsLoad(X87Operation operation) => operation
        is X87Operation.LoadSingle or X87Operation.LoadDouble or X87Operation.LoadInt16 or X87Operation.LoadInt32 or X87Operation.LoadInt64 or X87Operation.LoadDecimal
        or (>= X87Operation.One and <= X87Operation.Zero);

    private static bool Pops(X87Operation operation) => operation
        is X87Operation.StoreInt64 or X87Operation.StoreDecimal or X87Operation.TruncateInt16 or X87Operation.TruncateInt32 or X87Operation.TruncateInt64;

    private static int Loads(X87Operation operation) => IsLoad(operation) ? 0 : ((int)operation & 0xFF) < 0xC0 ? 1 : 2;

    private static int Results(X87Operation operation) => IsLoad(operation) ? 1 : Pops(operation) ? 0 : Loads(operation);
}
