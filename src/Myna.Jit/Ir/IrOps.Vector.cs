using System.Numerics;

namespace Myna.Jit.Ir;

public readonly partial struct IrOps
{
    public Value GetVector(int slot) => new(_b.Get(slot, Op.GetVector));
    public void SetVector(int slot, Value value) => _b.Set(slot, value.Id, Op.SetVector);

    /// <summary>4, 8 or 16 bytes at any alignment, the rest of the vector zero.</summary>
    public bool LoadVector(Value address, int bytes, out Value value)
    {
        int a = Address(address, out ulong disp);
        value = new(_b.Append(Op.LoadVector, a, imm: disp, size: BitOperations.Log2((uint)bytes), mode: _b.MmuMode));
        return true;
    }

    /// <summary>The low 4, 8 or 16 bytes at any alignment.</summary>
    public bool StoreVector(Value address, int bytes, Value value)
    {
        int a = Address(address, out ulong disp);
        _b.Append(Op.StoreVector, a, value.Id, imm: disp, size: BitOperations.Log2((uint)bytes), mode: _b.MmuMode);
        return true;
    }
}
