using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Engine;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Vector operations: each executes on the host (<see cref="HostVector"/>), under the guest's MXCSR where that matters.</summary>
internal ref partial struct InterpreterOps
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector128<byte> GetVector(int slot) => _registers.Vector[((slot - X86Registers.Vectors) >> 4) & 31];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void SetVector(int slot, Vector128<byte> value) => _registers.Vector[((slot - X86Registers.Vectors) >> 4) & 31] = value;

    public readonly Vector128<byte> ZeroVector() => Vector128<byte>.Zero;

    public bool LoadVector(ulong address, int bytes, out Vector128<byte> value, bool aligned = false, bool pair = false)
    {
        if (aligned && !IsAligned(address))
        {
            value = default;
            return false;
        }
        if (bytes == 16)
            return _tlb.TryRead(_mode, address, out value) || SlowLoadVector(address, pair, out value);
        bool done = Load(address, bytes == 4 ? MemSize.B4 : MemSize.B8, signed: false, out ulong low);
        value = Vector128.CreateScalar(low).AsByte();
        return done;
    }

    public bool LoadElement(ulong linear, MemSize size, out ulong value)
    {
        if (_mode != MmuMode.UserAligned)
            return Load(linear, size, signed: false, out value);
        EnterCpu();
        return Retires(_cpu.Load(linear, size, MmuMode.User, out value));
    }

    public bool Gather(SegmentRegister segment, ulong offset, MemSize size, bool behind, out ulong value)
    {
        EnterCpu();
        return Retires(_cpu.GatherElement(segment, offset, size, behind, out value));
    }

    public bool StoreElement(ulong linear, MemSize size, ulong value)
    {
        if (_mode != MmuMode.UserAligned)
            return Store(linear, size, value);
        EnterCpu();
        return Retires(_cpu.Store(linear, size, MmuMode.User, value));
    }

    public bool StoreVector(ulong address, int bytes, Vector128<byte> value, bool aligned = false)
    {
        if (aligned && !IsAligned(address))
            return false;
        if (bytes == 16)
            return _tlb.TryWrite(_mode, address, value) || SlowStoreVector(address, value);
        return Store(address, bytes == 4 ? MemSize.B4 : MemSize.B8, value.AsUInt64()[0]);
    }

    private bool IsAligned(ulong address)
    {
        if ((address & 15) == 0)
            return true;
        Raise(Instructions.Vector.GP);
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SlowLoadVector(ulong address, bool pair, out Vector128<byte> value)
    {
        EnterCpu();
        bool done = Retires(_cpu.SlowLoadVector(address, _mode, pair, out ulong low, out ulong high));
        value = Vector128.Create(low, high).AsByte();
        return done;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SlowStoreVector(ulong address, Vector128<byte> value)
    {
        EnterCpu();
        return Retires(_cpu.SlowStoreVector(address, _mode, value.AsUInt64()[0], value.AsUInt64()[1]));
    }

    private void Execute(VectorOp op, byte imm, ref VectorFrame frame)
    {
        if (!op.IsFloat())
        {
            HostVector.Execute(op, imm, ref frame);
            return;
        }
        ref uint mxcsr = ref _cpu.Block.Context.Mxcsr;
        if (Mode.SimdMasked)
        {
            frame.Mxcsr = mxcsr;
            HostVector.Execute(op, imm, ref frame);
            mxcsr = frame.Mxcsr;
        }
        else
        {
            Try(op, imm, ref frame, mxcsr);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Try(VectorOp op, byte imm, ref VectorFrame frame, uint mxcsr)
    {
        uint trial = Mxcsr.ForTrial(mxcsr);
        frame.Mxcsr = trial;
        if (!Mxcsr.IsUnderflowMasked(mxcsr))
        {
            // Unmasked underflow is for exact tiny results too, which otherwise only flush-to-zero makes known.
            VectorFrame second = frame;
            second.Mxcsr = trial | Mxcsr.FlushToZero;
            HostVector.Execute(op, imm, ref second);
            _simdFlags |= second.Mxcsr & Mxcsr.Underflow;
        }
        HostVector.Execute(op, imm, ref frame);
        _simdFlags |= frame.Mxcsr & Mxcsr.Flags;
        if (op == VectorOp.Cvtps2ph && !Mxcsr.IsUnderflowMasked(mxcsr) && HasTinyHalf(frame.Result.AsUInt64()[0]))
            _simdFlags |= Mxcsr.Underflow;
    }

    // The conversion to half precision does not flush to zero.
    private static bool HasTinyHalf(ulong halves)
    {
        for (; halves != 0; halves >>= 16)
        {
            if ((halves & 0x7C00) == 0 && (halves & 0x3FF) != 0)
                return true;
        }
        return false;
    }

    public bool RaiseSimd()
    {
        if (Mode.SimdMasked)
            return true;
        uint raised = _simdFlags;
        _simdFlags = 0;
        bool unmasked = Mxcsr.Raise(ref _cpu.Block.Context.Mxcsr, raised);
        if (unmasked)
            RaiseSimdException();
        return !unmasked;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RaiseSimdException() => Raise(_cpu.SimdException);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void RaiseVectorUnavailable(bool avx) => Raise(_cpu.VectorUnavailable(avx));

    public readonly ulong GetMxcsr() => _cpu.Block.Context.Mxcsr;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool SetMxcsr(ulong value)
    {
        if ((value & ~(ulong)Mxcsr.Defined) != 0)
        {
            Raise(Instructions.Vector.GP);
            return false;
        }
        if (_cpu.SetMxcsr((uint)value))
            Flow = Flow.Resync;
        return true;
    }

    public Vector128<byte> Vector(VectorOp op, Vector128<byte> a, byte imm = 0)
    {
        VectorFrame frame = new() { A = a };
        Execute(op, imm, ref frame);
        return frame.Result;
    }

    public Vector128<byte> Vector(VectorOp op, Vector128<byte> a, Vector128<byte> b, byte imm = 0)
    {
        VectorFrame frame = new() { A = a, B = b };
        Execute(op, imm, ref frame);
        return frame.Result;
    }

    public Vector128<byte> Vector(VectorOp op, Vector128<byte> a, Vector128<byte> b, Vector128<byte> c)
    {
        VectorFrame frame = new() { A = a, B = b, C = c };
        Execute(op, 0, ref frame);
        return frame.Result;
    }

    public ulong VectorToInteger(VectorOp op, Vector128<byte> a, byte imm = 0)
    {
        VectorFrame frame = new() { A = a };
        Execute(op, imm, ref frame);
        return frame.Integer;
    }

    public Vector128<byte> IntegerToVector(VectorOp op, ulong value)
        => op == VectorOp.MovdFrom ? Vector128.CreateScalar((uint)value).AsByte() : Vector128.CreateScalar(value).AsByte();

    public Vector128<byte> Insert(VectorOp op, Vector128<byte> a, ulong value, byte imm = 0)
    {
        VectorFrame frame = new() { A = a, Integer = value };
        Execute(op, imm, ref frame);
        return frame.Result;
    }

    public ulong VectorCompare(VectorOp op, Vector128<byte> a, Vector128<byte> b)
    {
        VectorFrame frame = new() { A = a, B = b };
        Execute(op, 0, ref frame);
        return frame.Flags;
    }

    public void VectorString(VectorOp op, Vector128<byte> a, Vector128<byte> b, ulong lengthA, ulong lengthB, bool wide, byte imm,
        out ulong index, out Vector128<byte> mask, out ulong flags)
    {
        VectorFrame frame = new() { A = a, B = b, Integer = Length(lengthA, wide), Length = Length(lengthB, wide) };
        Execute(op, imm, ref frame);
        index = frame.Integer;
        mask = frame.Result;
        flags = frame.Flags;
    }

    // Lengths saturate at 16 elements, their sign does not matter (Intel SDM volume 2, section 4.1.3).
    private static ulong Length(ulong length, bool wide) => wide ? (ulong)Math.Clamp((long)length, -100, 100) : length;
}
