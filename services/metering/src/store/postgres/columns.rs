//! Rows as statements take them that write many at once: an array for each column.

use keyward_storage::postgres::ToSql;

/// A statement's values.
pub(super) type Arrays<'a> = Vec<&'a (dyn ToSql + Sync)>;

/// Declares a row, and the arrays that many of them become, in the order of the statement.
macro_rules! columns {
    ($columns:ident of $row:ident<$life:lifetime> { $($column:ident: $kind:ty,)+ }) => {
        #[derive(Debug)]
        pub(super) struct $row<$life> {
            $(pub(super) $column: $kind,)+
            pub(super) of: std::marker::PhantomData<&$life ()>,
        }

        #[derive(Debug, Default)]
        pub(super) struct $columns<$life> {
            $($column: Vec<$kind>,)+
            of: std::marker::PhantomData<&$life ()>,
        }

        impl<$life> $columns<$life> {
            pub(super) fn push(&mut self, row: $row<$life>) {
                $(self.$column.push(row.$column);)+
                self.of = row.of;
            }

            pub(super) fn is_empty(&self) -> bool {
                [$(self.$column.len(),)+][0] == 0
            }

            pub(super) fn arrays(&self) -> $crate::store::postgres::columns::Arrays<'_> {
                vec![$(&self.$column,)+]
            }
        }
    };
}
pub(super) use columns;
