using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Fused multiply-add: the names tell which operands are multiplied; the operation has the operands in the same places.</summary>
internal static partial class Simd<TOps, T, V>
{
    [VectorInstruction(VectorOp.Fmaddsub132ps, Mnemonic.Vfmaddsub132ps)]
    [VectorInstruction(VectorOp.Fmaddsub132pd, Mnemonic.Vfmaddsub132pd)]
    [VectorInstruction(VectorOp.Fmsubadd132ps, Mnemonic.Vfmsubadd132ps)]
    [VectorInstruction(VectorOp.Fmsubadd132pd, Mnemonic.Vfmsubadd132pd)]
    [VectorInstruction(VectorOp.Fmadd132ps, Mnemonic.Vfmadd132ps)]
    [VectorInstruction(VectorOp.Fmadd132pd, Mnemonic.Vfmadd132pd)]
    [VectorInstruction(VectorOp.Fmadd132ss, Mnemonic.Vfmadd132ss)]
    [VectorInstruction(VectorOp.Fmadd132sd, Mnemonic.Vfmadd132sd)]
    [VectorInstruction(VectorOp.Fmsub132ps, Mnemonic.Vfmsub132ps)]
    [VectorInstruction(VectorOp.Fmsub132pd, Mnemonic.Vfmsub132pd)]
    [VectorInstruction(VectorOp.Fmsub132ss, Mnemonic.Vfmsub132ss)]
    [VectorInstruction(VectorOp.Fmsub132sd, Mnemonic.Vfmsub132sd)]
    [VectorInstruction(VectorOp.Fnmadd132ps, Mnemonic.Vfnmadd132ps)]
    [VectorInstruction(VectorOp.Fnmadd132pd, Mnemonic.Vfnmadd132pd)]
    [VectorInstruction(VectorOp.Fnmadd132ss, Mnemonic.Vfnmadd132ss)]
    [VectorInstruction(VectorOp.Fnmadd132sd, Mnemonic.Vfnmadd132sd)]
    [VectorInstruction(VectorOp.Fnmsub132ps, Mnemonic.Vfnmsub132ps)]
    [VectorInstruction(VectorOp.Fnmsub132pd, Mnemonic.Vfnmsub132pd)]
    [VectorInstruction(VectorOp.Fnmsub132ss, Mnemonic.Vfnmsub132ss)]
    [VectorInstruction(VectorOp.Fnmsub132sd, Mnemonic.Vfnmsub132sd)]
    [VectorInstruction(VectorOp.Fmaddsub213ps, Mnemonic.Vfmaddsub213ps)]
    [VectorInstruction(VectorOp.Fmaddsub213pd, Mnemonic.Vfmaddsub213pd)]
    [VectorInstruction(VectorOp.Fmsubadd213ps, Mnemonic.Vfmsubadd213ps)]
    [VectorInstruction(VectorOp.Fmsubadd213pd, Mnemonic.Vfmsubadd213pd)]
    [VectorInstruction(VectorOp.Fmadd213ps, Mnemonic.Vfmadd213ps)]
    [VectorInstruction(VectorOp.Fmadd213pd, Mnemonic.Vfmadd213pd)]
    [VectorInstruction(VectorOp.Fmadd213ss, Mnemonic.Vfmadd213ss)]
    [VectorInstruction(VectorOp.Fmadd213sd, Mnemonic.Vfmadd213sd)]
    [VectorInstruction(VectorOp.Fmsub213ps, Mnemonic.Vfmsub213ps)]
    [VectorInstruction(VectorOp.Fmsub213pd, Mnemonic.Vfmsub213pd)]
    [VectorInstruction(VectorOp.Fmsub213ss, Mnemonic.Vfmsub213ss)]
    [VectorInstruction(VectorOp.Fmsub213sd, Mnemonic.Vfmsub213sd)]
    [VectorInstruction(VectorOp.Fnmadd213ps, Mnemonic.Vfnmadd213ps)]
    [VectorInstruction(VectorOp.Fnmadd213pd, Mnemonic.Vfnmadd213pd)]
    [VectorInstruction(VectorOp.Fnmadd213ss, Mnemonic.Vfnmadd213ss)]
    [VectorInstruction(VectorOp.Fnmadd213sd, Mnemonic.Vfnmadd213sd)]
    [VectorInstruction(VectorOp.Fnmsub213ps, Mnemonic.Vfnmsub213ps)]
    [VectorInstruction(VectorOp.Fnmsub213pd, Mnemonic.Vfnmsub213pd)]
    [VectorInstruction(VectorOp.Fnmsub213ss, Mnemonic.Vfnmsub213ss)]
    [VectorInstruction(VectorOp.Fnmsub213sd, Mnemonic.Vfnmsub213sd)]
    [VectorInstruction(VectorOp.Fmaddsub231ps, Mnemonic.Vfmaddsub231ps)]
    [VectorInstruction(VectorOp.Fmaddsub231pd, Mnemonic.Vfmaddsub231pd)]
    [VectorInstruction(VectorOp.Fmsubadd231ps, Mnemonic.Vfmsubadd231ps)]
    [VectorInstruction(VectorOp.Fmsubadd231pd, Mnemonic.Vfmsubadd231pd)]
    [VectorInstruction(VectorOp.Fmadd231ps, Mnemonic.Vfmadd231ps)]
    [VectorInstruction(VectorOp.Fmadd231pd, Mnemonic.Vfmadd231pd)]
    [VectorInstruction(VectorOp.Fmadd231ss, Mnemonic.Vfmadd231ss)]
    [VectorInstruction(VectorOp.Fmadd231sd, Mnemonic.Vfmadd231sd)]
    [VectorInstruction(VectorOp.Fmsub231ps, Mnemonic.Vfmsub231ps)]
    [VectorInstruction(VectorOp.Fmsub231pd, Mnemonic.Vfmsub231pd)]
    [VectorInstruction(VectorOp.Fmsub231ss, Mnemonic.Vfmsub231ss)]
    [VectorInstruction(VectorOp.Fmsub231sd, Mnemonic.Vfmsub231sd)]
    [VectorInstruction(VectorOp.Fnmadd231ps, Mnemonic.Vfnmadd231ps)]
    [VectorInstruction(VectorOp.Fnmadd231pd, Mnemonic.Vfnmadd231pd)]
    [VectorInstruction(VectorOp.Fnmadd231ss, Mnemonic.Vfnmadd231ss)]
    [VectorInstruction(VectorOp.Fnmadd231sd, Mnemonic.Vfnmadd231sd)]
    [VectorInstruction(VectorOp.Fnmsub231ps, Mnemonic.Vfnmsub231ps)]
    [VectorInstruction(VectorOp.Fnmsub231pd, Mnemonic.Vfnmsub231pd)]
    [VectorInstruction(VectorOp.Fnmsub231ss, Mnemonic.Vfnmsub231ss)]
    [VectorInstruction(VectorOp.Fnmsub231sd, Mnemonic.Vfnmsub231sd)]
    public static void MultiplyAdd(ref TOps ops, in Insn insn)
    {
        if (!Available(ref ops, in insn))
            return;
        VectorOp op = X86Table.Operation(insn.Mnemonic);
        int a = insn.Op0.Register, b = insn.Op1.Register;
        if (insn.Is256)
        {
            if (!Read(ref ops, in insn, insn.Op2, out V low, out V high))
                return;
            low = ops.Vector(op, Xmm(ref ops, a), Xmm(ref ops, b), low);
            high = ops.Vector(op, High(ref ops, a), High(ref ops, b), high);
            if (ops.RaiseSimd())
                SetYmm(ref ops, a, low, high);
        }
        else if (Read(ref ops, in insn, insn.Op2, out V c))
        {
            V result = ops.Vector(op, Xmm(ref ops, a), Xmm(ref ops, b), c);
            if (ops.RaiseSimd())
                SetXmm(ref ops, in insn, a, result);
        }
    }
}
